// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type AskedPool, parseAskedPool } from "../model/asked-pools.ts";
import { isIdentifier } from "../model/name.ts";
import { textField } from "../model/schema.ts";
import { type IfName, parseIfName } from "../net/if-name.ts";
import { CniError } from "./error.ts";
import { type CniVersion, SUPPORTED_VERSIONS, isSupportedVersion } from "./version.ts";

export type CniCommand = "ADD" | "DEL" | "CHECK";

/** What a call is about: the specification identifies an attachment by these three. */
export interface AttachmentId {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: IfName;
}

/** A call of the plugin, fully checked. */
export interface CniRequest {
  readonly command: CniCommand;
  readonly cniVersion: CniVersion;
  readonly id: AttachmentId;
  /** The container's network namespace; DEL may come without. */
  readonly netns: string | undefined;
  /** The namespace that an orchestrator says the container is in, of ADD. */
  readonly namespace: string | undefined;
  readonly config: NetworkConfig;
}

/** What the plugin sends on: its environment and its standard input, both as they came. */
export interface RawCniRequest {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: unknown;
}

const PrevResult = z.looseObject({
  interfaces: z
    .array(z.looseObject({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }))
    .optional(),
  ips: z.array(z.looseObject({ address: z.string(), interface: z.number().int().optional() })).optional(),
});
export type PrevResult = z.infer<typeof PrevResult>;

const askedPools: z.ZodType<readonly AskedPool[], readonly string[]> = z.array(textField(parseAskedPool));

/** Of Calico's keys, those that say which pools addresses come from. */
const Ipam = z.strictObject({
  type: z.literal("calico-ipam", 'want "calico-ipam", or none: addresses come from IPPools').optional(),
  ipv4_pools: askedPools.optional(),
  ipv6_pools: askedPools.optional(),
  assign_ipv4: z.literal("true", 'want "true": containers have an IPv4 address').optional(),
  assign_ipv6: z.literal("false", 'want "false": containers have no IPv6 address').optional(),
});

/** The keys of the specification (sections 1 and 3), and this plugin's own. */
const NetworkConfig = z.strictObject({
  cniVersion: z.string(),
  /** Also part of IPAM handles, and so of datastore keys. */
  name: z
    .string()
    .regex(
      /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
      "must start with a letter or digit and hold only letters, digits, '_', '.' and '-'",
    )
    .max(128),
  type: z.string(),
  /** What ADD waits for, in place of what the agent's configuration says. */
  routeReadiness: z.enum(["none", "local", "peers"]).optional(),
  /** The agent's unix socket. */
  agentSocket: z.string().startsWith("/").optional(),
  ipam: Ipam.optional(),
  dns: z
    .strictObject({
      nameservers: z.array(z.string()).optional(),
      domain: z.string().optional(),
      search: z.array(z.string()).optional(),
      options: z.array(z.string()).optional(),
    })
    .optional(),
  capabilities: z.record(z.string(), z.boolean()).optional(),
  runtimeConfig: z.record(z.string(), z.unknown()).optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  prevResult: PrevResult.optional(),
  ipMasq: z.literal(false).optional(),
  disableCheck: z.boolean().optional(),
  disableGC: z.boolean().optional(),
});
export type NetworkConfig = z.infer<typeof NetworkConfig>;

const COMMANDS: Readonly<Record<CniCommand, readonly string[]>> = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
};

/** Specification section 2: starts with a letter or digit, then also '_', '.' and '-'. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** Checks a call; throws {@link CniError} with the specification's code for the fault. */
export function parseCniRequest({ environment, config: raw }: RawCniRequest): CniRequest {
  const command = parseCommand(environment["CNI_COMMAND"]);
  requireVariables(command, environment);
  const config = parseNetworkConfig(raw);
  return {
    command,
    cniVersion: requireVersion(config.cniVersion),
    id: {
      network: config.name,
      containerId: parseContainerId(environment["CNI_CONTAINERID"]),
      ifName: parseCniIfName(environment["CNI_IFNAME"]),
    },
    netns: parseNetns(environment["CNI_NETNS"]),
    // What DEL needs is known without, and it has to succeed where ADD was refused.
    namespace: command === "ADD" ? parseNamespace(environment["CNI_ARGS"]) : undefined,
    config: requirePrevResult(command, config),
  };
}

function parseCommand(text = ""): CniCommand {
  if (Object.hasOwn(COMMANDS, text)) return text as CniCommand;
  throw new CniError(
    "invalidEnvironment",
    `Cannot run CNI_COMMAND "${text}": want ${Object.keys(COMMANDS).join(", ")} or VERSION`,
  );
}

function requireVariables(command: CniCommand, environment: RawCniRequest["environment"]): void {
  const missing = COMMANDS[command].filter((name) => (environment[name] ?? "") === "");
  if (missing.length > 0) {
    throw new CniError(
      "invalidEnvironment",
      `Cannot run CNI_COMMAND "${command}": ${missing.join(", ")} not set`,
    );
  }
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
    throw new CniError("invalidEnvironment", `Cannot use CNI_IFNAME: ${messageOf(cause)}`, { cause });
  }
}

function parseNetns(text = ""): string | undefined {
  if (text === "") return undefined;
  if (text.startsWith("/") && !text.includes("\0")) return text;
  throw new CniError("invalidEnvironment", `Cannot use CNI_NETNS "${text}": want an absolute path`);
}

/** Kubernetes' argument, as it is well known (CNI conventions, "CNI_ARGS"); other arguments are not for this plugin. */
function parseNamespace(args?: string): string | undefined {
  const namespace = parseArgs(args).get("K8S_POD_NAMESPACE") ?? "";
  if (namespace === "") return undefined;
  if (isIdentifier(namespace)) return namespace;
  throw new CniError(
    "invalidEnvironment",
    `Cannot use K8S_POD_NAMESPACE "${namespace}" of CNI_ARGS: want letters, digits, '_', '.' and '-'`,
  );
}

/** `NAME=value` pairs with semicolons between them. */
function parseArgs(text = ""): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const pair of text === "" ? [] : text.split(";")) {
    const [, name = "", value = ""] = /^([^=]+)=([^=]*)$/.exec(pair) ?? [];
    const fault = name === "" ? "want NAME=value" : args.has(name) ? "it is there twice" : undefined;
    if (fault !== undefined)
      throw new CniError("invalidEnvironment", `Cannot use "${pair}" of CNI_ARGS: ${fault}`);
    args.set(name, value);
  }
  return args;
}

function parseNetworkConfig(raw: unknown): NetworkConfig {
  const parsed = NetworkConfig.safeParse(raw);
  if (parsed.success) return parsed.data;
  const unknownKey = parsed.error.issues.find((issue) => issue.code === "unrecognized_keys");
  if (unknownKey !== undefined) throw unsupportedField(raw, unknownKey.path, unknownKey.keys[0] ?? "");
  const faults = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "configuration"}: ${issue.message}`,
  );
  throw new CniError("invalidConfig", `Cannot use network configuration: ${faults.join("; ")}`);
}

/** The specification wants key and value of the field in the message. */
function unsupportedField(raw: unknown, path: readonly PropertyKey[], key: string): CniError {
  const value = [...path, key].reduce<unknown>(
    (at, step) => (isRecord(at) ? at[String(step)] : undefined),
    raw,
  );
  const name = [...path.map(String), key].join(".");
  return new CniError(
    "unsupportedField",
    `Cannot use network configuration: unsupported field "${name}" with value ${JSON.stringify(value)}`,
  );
}

function requireVersion(version: string): CniVersion {
  if (isSupportedVersion(version)) return version;
  throw new CniError(
    "incompatibleVersion",
    `Cannot use cniVersion "${version}": supported are ${SUPPORTED_VERSIONS.join(", ")}`,
  );
}

function requirePrevResult(command: CniCommand, config: NetworkConfig): NetworkConfig {
  if (command === "CHECK" && config.prevResult === undefined) {
    throw new CniError("invalidConfig", "Cannot check: the network configuration has no prevResult");
  }
  if (command === "ADD" && config.prevResult !== undefined) {
    throw new CniError(
      "invalidConfig",
      "Cannot add: this plugin makes the interface, so it must come first in its chain, without a prevResult",
    );
  }
  return config;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
