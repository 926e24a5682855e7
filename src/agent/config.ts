// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { absolutePath, datastoreConfigSchema, socketPath } from "../datastore/config.ts";
import { type AddressSetting, parseAddressSetting } from "../model/address-setting.ts";
import { ResourceError, parseWith } from "../model/issue.ts";
import { parseNodeName } from "../model/name.ts";
import { type Output, portField, textField } from "../model/schema.ts";
import { AGENT_SOCKET, DATA_DIRECTORY, RUN_DIRECTORY } from "../system/run-directory.ts";

const schema = z.strictObject({
  nodeName: textField(parseNodeName),
  /** The node's address with the length of its underlay network, `192.168.0.101/24`, or how to find it. */
  address: textField(parseAddressSetting).default({ kind: "first-found" }),
  /** Likewise its IPv6 address; `none` leaves the one that is recorded to whoever has recorded it. */
  ipv6Address: textField(parseIpv6Setting).default({ kind: "none" }),
  /** Where BIRD's files live; made if it is not there. */
  stateDirectory: absolutePath.default(RUN_DIRECTORY),
  /** Where CNI, status and the datastore are served. */
  socket: socketPath.default(AGENT_SOCKET),
  datastore: datastoreConfigSchema.default({ kind: "embedded", path: `${DATA_DIRECTORY}/margay.db` }),
  /** Passwords of BGP sessions: `<name>/<key>` of a resource's `secretKeyRef` is the file. */
  secretsDirectory: absolutePath.default("/etc/margay/secrets"),
  /** By what IPIP is done: the kernel's device, programs on the underlay, or the first of them that the kernel has. */
  ipipDriver: z.enum(["auto", "device", "bpf"]).default("auto"),
  /** What ADD waits for: nothing, this node's own programming, or other nodes' routes too; a network may say otherwise. */
  routeReadiness: z.enum(["none", "local", "peers"]).default("local"),
  /** How long it waits for other nodes. */
  routeReadinessTimeoutMs: z.int().min(1).max(20_000).default(5000),
  garbageCollection: z
    .strictObject({
      /** How long the Node resource of a node is gone before its addresses are taken back. */
      graceSeconds: z.int().min(0).max(86_400).default(900),
      /** How long a block that the node can do without is idle before it is given up. */
      idleBlockSeconds: z.int().min(0).max(86_400).default(60),
    })
    .prefault({}),
  /** The read-only API besides the socket's: on this port of 127.0.0.1, for those who know the token. */
  api: z.strictObject({ port: portField, tokenFile: absolutePath }).exactOptional(),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
});

/** An agent's configuration, defaults filled in. */
export type AgentConfig = Output<typeof schema>;

function parseIpv6Setting(text: string): AddressSetting | { readonly kind: "none" } {
  return text === "none" ? { kind: text } : parseAddressSetting(text, 6);
}

/** Reads a configuration file in YAML, or in JSON where its name ends so; throws {@link ResourceError} naming each fault. */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  const subject = `agent configuration "${path}"`;
  let value: unknown;
  try {
    value = await parseFile(path, await readFile(path, "utf8"));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ResourceError(subject, [{ code: "wrong-type", path: "", message }]);
  }
  const parsed = parseWith(schema, value);
  if (parsed.kind === "ok") return parsed.value;
  throw new ResourceError(subject, parsed.issues);
}

/** To load the parser of YAML takes a twentieth of an agent's start, and a lab starts many. */
async function parseFile(path: string, text: string): Promise<unknown> {
  return path.endsWith(".json") ? JSON.parse(text) : (await import("yaml")).parse(text);
}

/** Where BIRD's configuration, sockets and log are kept. */
export function birdDirectory({ stateDirectory }: Pick<AgentConfig, "stateDirectory">): string {
  return join(stateDirectory, "bird");
}

/** Where attachments are kept that the datastore is still to be told of. */
export function journalDirectory({ stateDirectory }: AgentConfig): string {
  return join(stateDirectory, "journal");
}

/** Where the sockets of a WireGuard outside the kernel are kept. */
export function wireguardDirectory({ stateDirectory }: Pick<AgentConfig, "stateDirectory">): string {
  return join(stateDirectory, "wireguard");
}
