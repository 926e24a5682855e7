// SPDX-License-Identifier: Apache-2.0
import { type IfName, parseIfName } from "../net/if-name.ts";
import type { AttachmentId } from "./attachment.ts";
import type { RouteReadiness } from "./collaborators.ts";
import { CniError } from "./error.ts";
import {
  type NetworkAttachments,
  type PrevResult,
  parseNetworkAttachments,
  parseNetworkConfig,
  parseNetworkName,
} from "./network-config.ts";
import { type CniVersion, SUPPORTED_VERSIONS, isAtLeast, isSupportedVersion } from "./version.ts";
import { type Wish, parseWish } from "./wish.ts";

interface Call<Command extends string> {
  readonly command: Command;
  readonly cniVersion: CniVersion;
}

export interface AddRequest extends Call<"ADD"> {
  readonly id: AttachmentId;
  /** The path of the container's network namespace. */
  readonly netns: string;
  readonly wish: Wish;
  /** What the network wants ADD to wait for. */
  readonly routeReadiness: RouteReadiness | undefined;
  /** What the plugins before this one have made. */
  readonly prevResult: PrevResult | undefined;
}

export interface CheckRequest extends Call<"CHECK"> {
  readonly id: AttachmentId;
  readonly netns: string;
  readonly prevResult: PrevResult;
}

export interface DelRequest extends Call<"DEL"> {
  readonly id: AttachmentId;
  /** Absent where the container is gone. */
  readonly netns: string | undefined;
}

export interface GcRequest extends Call<"GC"> {
  readonly network: string;
  /** The attachments of the network that there are on this node. */
  readonly valid: readonly AttachmentId[];
}

export interface StatusRequest extends Call<"STATUS"> {
  readonly wish: Wish;
}

/** A call of the plugin, fully checked. */
export type CniRequest = AddRequest | CheckRequest | DelRequest | GcRequest | StatusRequest;
export type CniCommand = CniRequest["command"];

/** What the plugin sends on: its environment and its standard input, both as they came. */
export interface RawCniRequest {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: unknown;
}

/** The variables that each needs (specification section 2, as libcni's skeleton of a plugin has it), and the first version that has it. */
const COMMANDS: Readonly<
  Record<CniCommand, { readonly variables: readonly string[]; readonly since: CniVersion }>
> = {
  ADD: { variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"], since: "0.1.0" },
  DEL: { variables: ["CNI_CONTAINERID", "CNI_IFNAME"], since: "0.1.0" },
  CHECK: { variables: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"], since: "0.4.0" },
  GC: { variables: [], since: "1.1.0" },
  STATUS: { variables: [], since: "1.1.0" },
};

/** Specification section 2: starts with a letter or digit, then also '_', '.' and '-'. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** Checks a call; throws {@link CniError} with the specification's code for the fault. */
export function parseCniRequest({ environment, config: raw }: RawCniRequest): CniRequest {
  const command = parseCommand(environment);
  requireVariables(command, environment);
  switch (command) {
    case "ADD": {
      const config = parseNetworkConfig(raw);
      const { routeReadiness, prevResult } = config;
      const cniVersion = requireVersion(config.cniVersion, command);
      const id = parseId(config.name, environment);
      const wish = parseWish(config, environment["CNI_ARGS"]);
      return { command, cniVersion, id, netns: parseNetns(environment), wish, routeReadiness, prevResult };
    }
    case "CHECK": {
      const config = parseNetworkConfig(raw);
      const cniVersion = requireVersion(config.cniVersion, command);
      if (config.prevResult === undefined)
        throw new CniError("invalidConfig", "Cannot check: the network configuration has no prevResult");
      const { prevResult, name } = config;
      return {
        command,
        cniVersion,
        id: parseId(name, environment),
        netns: parseNetns(environment),
        prevResult,
      };
    }
    case "DEL": {
      const { cniVersion, name } = parseNetworkName(raw);
      const netns = (environment["CNI_NETNS"] ?? "") === "" ? undefined : parseNetns(environment);
      return {
        command,
        cniVersion: requireVersion(cniVersion, command),
        id: parseId(name, environment),
        netns,
      };
    }
    case "GC": {
      const config = parseNetworkAttachments(raw);
      const cniVersion = requireVersion(config.cniVersion, command);
      return { command, cniVersion, network: config.name, valid: validAttachments(config) };
    }
    case "STATUS": {
      const config = parseNetworkConfig(raw);
      const cniVersion = requireVersion(config.cniVersion, command);
      return { command, cniVersion, wish: parseWish(config, undefined) };
    }
  }
}

/** The call's command; `undefined` where there is no such. */
export function commandOf({ environment }: Pick<RawCniRequest, "environment">): CniCommand | undefined {
  const text = environment["CNI_COMMAND"] ?? "";
  return Object.hasOwn(COMMANDS, text) ? (text as CniCommand) : undefined;
}

function parseCommand(environment: RawCniRequest["environment"]): CniCommand {
  const command = commandOf({ environment });
  if (command !== undefined) return command;
  const text = environment["CNI_COMMAND"] ?? "";
  throw new CniError(
    "invalidEnvironment",
    `Cannot run CNI_COMMAND "${text}": want ${Object.keys(COMMANDS).join(", ")} or VERSION`,
  );
}

function requireVariables(command: CniCommand, environment: RawCniRequest["environment"]): void {
  const missing = COMMANDS[command].variables.filter((name) => (environment[name] ?? "") === "");
  if (missing.length > 0) {
    throw new CniError(
      "invalidEnvironment",
      `Cannot run CNI_COMMAND "${command}": ${missing.join(", ")} not set`,
    );
  }
}

function requireVersion(version: string, command: CniCommand): CniVersion {
  if (!isSupportedVersion(version)) {
    const supported = SUPPORTED_VERSIONS.join(", ");
    throw new CniError(
      "incompatibleVersion",
      `Cannot use cniVersion "${version}": supported are ${supported}`,
    );
  }
  const { since } = COMMANDS[command];
  if (isAtLeast(version, since)) return version;
  throw new CniError(
    "incompatibleVersion",
    `Cannot run CNI_COMMAND "${command}" with cniVersion "${version}": it came with ${since}`,
  );
}

function parseId(network: string, environment: RawCniRequest["environment"]): AttachmentId {
  return {
    network,
    containerId: parseContainerId(environment["CNI_CONTAINERID"]),
    ifName: parseCniIfName(environment["CNI_IFNAME"]),
  };
}

/** One that cannot be ours is left out: it stands for nothing that GC could find. */
function validAttachments({
  name: network,
  "cni.dev/valid-attachments": valid,
}: NetworkAttachments): readonly AttachmentId[] {
  return valid.flatMap(({ containerID, ifname }) => {
    try {
      return [{ network, containerId: parseContainerId(containerID), ifName: parseCniIfName(ifname) }];
    } catch (error) {
      if (error instanceof CniError) return [];
      throw error;
    }
  });
}

function parseContainerId(text = ""): string {
  if (CONTAINER_ID.test(text)) return text;
  const want = "want a letter or digit, then up to 127 letters, digits, '_', '.' or '-'";
  throw new CniError("invalidEnvironment", `Cannot use CNI_CONTAINERID "${text}": ${want}`);
}

function parseCniIfName(text = ""): IfName {
  try {
    return parseIfName(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CniError("invalidEnvironment", `Cannot use CNI_IFNAME: ${why}`, { cause });
  }
}

function parseNetns({ CNI_NETNS: text = "" }: RawCniRequest["environment"]): string {
  if (text.startsWith("/") && !text.includes("\0")) return text;
  throw new CniError("invalidEnvironment", `Cannot use CNI_NETNS "${text}": want an absolute path`);
}
