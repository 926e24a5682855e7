// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { ResourceError, parseWith } from "../model/issue.ts";
import { parseNodeName } from "../model/name.ts";
import { type Output, ipv4InterfaceField, textField } from "../model/schema.ts";
import { AGENT_SOCKET } from "./socket.ts";

/** `struct sockaddr_un` (linux/un.h) has 108 bytes for the path and its terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;

const absolutePath = z.string().regex(/^\/[^\0]*$/, "want an absolute path");
const socketPath = absolutePath.refine(
  (path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES,
  `want at most ${MAX_SOCKET_PATH_BYTES} bytes`,
);

const datastore = z.discriminatedUnion("kind", [
  /** The store of one machine, in a file; this agent serves it to others through its socket. */
  z.strictObject({ kind: z.literal("embedded"), path: absolutePath }),
  /** The store that another agent on this machine serves. */
  z.strictObject({ kind: z.literal("socket"), path: socketPath }),
]);

const schema = z.strictObject({
  nodeName: textField(parseNodeName),
  /** The node's address with the length of its underlay network, `192.168.0.101/24`. */
  address: ipv4InterfaceField,
  /** Where BIRD's files live; made if it is not there. */
  stateDirectory: absolutePath.default("/run/margay"),
  /** Where CNI, status and the datastore are served. */
  socket: socketPath.default(AGENT_SOCKET),
  datastore: datastore.default({ kind: "embedded", path: "/var/lib/margay/margay.db" }),
  /** By what IPIP is done: the kernel's device, programs on the underlay, or the first of them that the kernel has. */
  ipipDriver: z.enum(["auto", "device", "bpf"]).default("auto"),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
});

/** An agent's configuration, defaults filled in. */
export type AgentConfig = Output<typeof schema>;

/** Reads a configuration file in YAML (or JSON, which is YAML); throws {@link ResourceError} naming each fault. */
export async function readAgentConfig(path: string): Promise<AgentConfig> {
  const subject = `agent configuration "${path}"`;
  let value: unknown;
  try {
    value = parseYaml(await readFile(path, "utf8"));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ResourceError(subject, [{ code: "wrong-type", path: "", message }]);
  }
  const parsed = parseWith(schema, value);
  if (parsed.kind === "ok") return parsed.value;
  throw new ResourceError(subject, parsed.issues);
}

/** Where BIRD's configuration, sockets and log are kept. */
export function birdDirectory({ stateDirectory }: AgentConfig): string {
  return join(stateDirectory, "bird");
}

/** Where the sockets of a WireGuard outside the kernel are kept. */
export function wireguardDirectory({ stateDirectory }: AgentConfig): string {
  return join(stateDirectory, "wireguard");
}
