// SPDX-License-Identifier: Apache-2.0
// One client and one server on one core, and what they get done there.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Netns, openNetns } from "../../src/dataplane/netlink/netns.ts";
import { NETNS_DIRECTORY } from "../../src/lab/layout.ts";
import { systemClock } from "../../src/system/clock.ts";
import { type CpuSample, type CpuTime, cpuBetween, sampleCpu } from "./cpu-time.ts";

const PORT = 7009;
/** For TCP to grow its window, and for the first packets to resolve neighbours. */
const WARM_UP_MS = 700;
const READY_TIMEOUT_MS = 10_000;
const RETRY_MS = 20;
/** The load is ended from outside, before its own end; sockperf takes memory for all of its time before it begins. */
const SPARE_SECONDS = 5;
/** After that many packets the load has begun. */
const FIRST_PACKETS = 50;

/** Whom the load joins. */
export interface Ends {
  readonly client: string;
  readonly server: string;
  /** The server's. */
  readonly address: string;
}

interface LoadProgram {
  readonly protocol: "tcp" | "udp";
  readonly server: readonly string[];
  readonly client: (address: string, seconds: number) => readonly string[];
}

export const LOADS = {
  "TCP request-response": sockperf("tcp"),
  "UDP request-response": sockperf("udp"),
  "one TCP stream": {
    protocol: "tcp",
    server: ["iperf3", "--server", "--port", `${PORT}`],
    client: (address, seconds) => [
      "iperf3",
      "--client",
      address,
      "--port",
      `${PORT}`,
      "--time",
      `${seconds}`,
    ],
  },
} as const satisfies Readonly<Record<string, LoadProgram>>;
export type Load = keyof typeof LOADS;
export const LOAD_NAMES = Object.keys(LOADS) as readonly Load[];

/** 64 bytes there and back, one at a time. */
function sockperf(protocol: "tcp" | "udp"): LoadProgram {
  const shared = [...(protocol === "tcp" ? ["--tcp"] : []), "--port", `${PORT}`];
  const load = ["--msg-size", "64", "--full-rtt"];
  return {
    protocol,
    // The connection of the round before may linger on the server's side.
    server: ["sockperf", "server", "--uc-reuseaddr", ...shared],
    client: (address, seconds) => [
      "sockperf",
      "ping-pong",
      "--ip",
      address,
      ...shared,
      ...load,
      "--time",
      `${seconds}`,
    ],
  };
}

/** What was done in one window of time. */
export interface Window {
  readonly seconds: number;
  readonly cpu: CpuTime;
  /** What came to the server: a packet is a request, where there are requests. */
  readonly packets: number;
  readonly bytes: number;
  /** The median, in microseconds, where there are requests. */
  readonly roundTripUs: number | undefined;
}

export interface WindowOptions {
  readonly core: number;
  readonly ms: number;
  /** Of the namespaces whose processes do the work. */
  readonly netnsIds: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** Runs the load, and looks at a window in the middle of it. Throws where client or server ends by itself. */
export async function measure(load: Load, ends: Ends, options: WindowOptions): Promise<Window> {
  const { protocol, server: serve, client: call }: LoadProgram = LOADS[load];
  const { core, ms, netnsIds, signal } = options;
  using netns = openNetns(join(NETNS_DIRECTORY, ends.server));
  await using server = start(ends.server, core, serve);
  await until(() => isBound(netns, protocol), server, signal);
  const { packets } = receivedIn(netns);
  const longest = Math.ceil((WARM_UP_MS + ms) / 1000) + SPARE_SECONDS;
  await using client = start(ends.client, core, call(ends.address, longest));
  await until(() => receivedIn(netns).packets > packets + FIRST_PACKETS, client, signal);
  await systemClock.sleep(WARM_UP_MS, { signal });
  const take = (): Sample => ({
    ...receivedIn(netns),
    atMs: performance.now(),
    cpu: sampleCpu(netnsIds, core),
  });
  const before = take();
  await systemClock.sleep(ms, { signal });
  const after = take();
  for (const running of [client, server]) await requireRunning(running);
  client.child.kill("SIGINT");
  return windowBetween(before, after, await client.ended());
}

/** Throws where a program is missing, and says what brings it. */
export function requirePrograms(): void {
  const missing = ["sockperf", "iperf3", "taskset"].filter((name) => spawnSync(name, ["--version"]).error);
  if (missing.length > 0)
    throw new Error(
      `Cannot find ${missing.join(", ")}: install with "apt-get install sockperf iperf3 util-linux"`,
    );
}

interface Running extends AsyncDisposable {
  readonly program: string;
  readonly child: ChildProcess;
  /** Resolves to all that it printed. */
  readonly ended: () => Promise<string>;
}

function start(netns: string, core: number, command: readonly string[]): Running {
  const child = spawn("ip", ["netns", "exec", netns, "taskset", "-c", `${core}`, ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const closed = once(child, "close");
  const ended = async (): Promise<string> => {
    await closed;
    return output;
  };
  return {
    program: command.join(" "),
    child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended();
    },
  };
}

/** Waits for what a program that was started brings about. */
async function until(isSo: () => boolean, running: Running, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!isSo()) {
    await requireRunning(running);
    if (Date.now() > deadline) throw new Error(`Cannot start "${running.program}": nothing happens`);
    await systemClock.sleep(RETRY_MS, { signal });
  }
}

async function requireRunning({ child, program, ended }: Running): Promise<void> {
  if (child.exitCode !== null)
    throw new Error(`Cannot run "${program}": it ended, and said:\n${await ended()}`);
}

interface Received {
  readonly bytes: number;
  readonly packets: number;
}

interface Sample extends Received {
  readonly atMs: number;
  readonly cpu: CpuSample;
}

function windowBetween(before: Sample, after: Sample, output: string): Window {
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    cpu: cpuBetween(before.cpu, after.cpu),
    packets: after.packets - before.packets,
    bytes: after.bytes - before.bytes,
    roundTripUs: roundTripIn(output),
  };
}

/** `eth0: <bytes> <packets> …`, received first (man proc_pid_net). */
function receivedIn(netns: Netns): Received {
  const [, bytes, packets] = /^ *eth0: *(\d+) +(\d+)/m.exec(readNet(netns, "dev")) ?? [];
  return { bytes: Number(bytes), packets: Number(packets) };
}

/**
 * `<n>: <address>:<port in hex> <address>:<port> <state> …` (man proc_pid_net); state 0A listens, and 07 is UDP's only one: what is left of a connection before has
 * the same port. Programs may listen for either family at once.
 */
function isBound(netns: Netns, protocol: "tcp" | "udp"): boolean {
  const port = PORT.toString(16).toUpperCase().padStart(4, "0");
  const bound = new RegExp(`^ *\\d+: [0-9A-F]+:${port} [0-9A-F]+:[0-9A-F]+ (0A|07) `, "m");
  return [protocol, `${protocol}6`].some((file) => bound.test(readNet(netns, file)));
}

function readNet(netns: Netns, file: string): string {
  return netns.run(() => readFileSync(`/proc/thread-self/net/${file}`, "utf8"));
}

function roundTripIn(output: string): number | undefined {
  const [, value] = /percentile 50\.000 = +([\d.]+)/.exec(output) ?? [];
  return value === undefined ? undefined : Number(value);
}
