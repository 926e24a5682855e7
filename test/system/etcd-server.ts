// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomInt } from "node:crypto";
import { eventually } from "./harness.ts";

/** Where clients find a member, and the members each other. */
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

export interface EtcdServerOptions {
  /** Further arguments for each member. */
  readonly args?: readonly string[];
  readonly scheme?: "http" | "https";
  /** @default 1 */
  readonly members?: number;
  /** The first three octets of its members' addresses, which end in 1, 2, … @default any */
  readonly network?: string;
}

/** `127.x.y`, that nobody else has, as far as chance goes. */
export function anyNetwork(): string {
  return `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
}

/** A real etcd on loopback addresses of its own; disposing it leaves nothing. */
export interface EtcdServer extends AsyncDisposable {
  readonly endpoints: readonly string[];
  readonly addresses: readonly string[];
  /** Ends a member at once; {@link start} brings it back with what it had. */
  readonly kill: (index: number) => Promise<void>;
  readonly start: (index: number) => Promise<void>;
  /** Has a member stop as if its machine were frozen, and go on. */
  readonly pause: (index: number) => void;
  readonly resume: (index: number) => void;
}

export async function startEtcd({
  args = [],
  scheme = "http",
  members = 1,
  network = anyNetwork(),
}: EtcdServerOptions = {}): Promise<EtcdServer> {
  const directory = await mkdtemp(join(tmpdir(), "margay-etcd-"));
  const addresses = Array.from({ length: members }, (_, index) => `${network}.${index + 1}`);
  const processes = new Map<number, ChildProcess>();
  const endpoint = (index: number): string => `${scheme}://${addresses[index] ?? ""}:${CLIENT_PORT}`;
  const start = async (index: number): Promise<void> => {
    const child = spawn("etcd", [...memberArgs(index, addresses, endpoint(index), directory), ...args], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    processes.set(index, child);
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    const isUp = (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`etcd has ended: ${log}`);
      return Promise.resolve(log.includes("serving client traffic"));
    };
    await eventually(isUp, "etcd").catch((error: unknown) => {
      throw new Error(`etcd is not up: ${log}`, { cause: error });
    });
  };
  const kill = async (index: number): Promise<void> => {
    const child = processes.get(index);
    processes.delete(index);
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "close");
  };
  const indexes = [...addresses.keys()];
  const server: EtcdServer = {
    addresses,
    endpoints: indexes.map(endpoint),
    kill,
    start,
    pause: (index) => processes.get(index)?.kill("SIGSTOP"),
    resume: (index) => processes.get(index)?.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      await Promise.all(indexes.map(kill));
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(indexes.map(start));
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

function memberArgs(
  index: number,
  addresses: readonly string[],
  endpoint: string,
  directory: string,
): readonly string[] {
  const peer = (at: number): string => `http://${addresses[at] ?? ""}:${PEER_PORT}`;
  const cluster = addresses.map((_, at) => `m${at}=${peer(at)}`).join(",");
  return [
    ...["--name", `m${index}`, "--data-dir", join(directory, `m${index}`), "--logger", "zap"],
    ...["--listen-client-urls", endpoint, "--advertise-client-urls", endpoint],
    ...["--listen-peer-urls", peer(index), "--initial-advertise-peer-urls", peer(index)],
    ...["--initial-cluster", cluster, "--initial-cluster-token", `margay-${addresses[0] ?? ""}`],
  ];
}
