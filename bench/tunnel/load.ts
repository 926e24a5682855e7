// SPDX-License-Identifier: Apache-2.0
// One client and one server on one core, and what they get done there.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/system/clock.ts";
import { type CpuTime, cpuBetween, sampleCpu } from "./cpu-time.ts";

const PORT = 7009;
/** For TCP to grow its window, and for the first packets to resolve neighbours. */
const WARM_UP_MS = 700;
const READY_TIMEOUT_MS = 10_000;
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
  await using server = start(ends.server, core, serve);
  await untilBound(server.child, protocol, signal);
  const longest = Math.ceil((WARM_UP_MS + ms) / 1000) + SPARE_SECONDS;
  await using client = start(ends.client, core, call(ends.address, longest));
  await untilFlowing(server, signal);
  await systemClock.sleep(WARM_UP_MS, { signal });
  await requireRunning(load, server, client);
  const before = sample(server.child, netnsIds, core);
  await systemClock.sleep(ms, { signal });
  await requireRunning(load, server, client);
  const after = sample(server.child, netnsIds, core);
  client.child.kill("SIGINT");
  const output = await client.ended();
  return {
    seconds: (after.atMs - before.atMs) / 1000,
    cpu: cpuBetween(before.cpu, after.cpu),
    packets: after.packets - before.packets,
    bytes: after.bytes - before.bytes,
    roundTripUs: roundTripIn(output),
  };
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
  readonly child: ChildProcess;
  /** Resolves to all that it printed. */
  ended(): Promise<string>;
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
    child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended();
    },
  };
}

async function requireRunning(load: Load, ...all: readonly Running[]): Promise<void> {
  for (const { child, ended } of all)
    if (child.exitCode !== null) throw new Error(`Cannot measure ${load}: ${await ended()}`);
}

interface Sample {
  readonly atMs: number;
  readonly cpu: ReturnType<typeof sampleCpu>;
  readonly packets: number;
  readonly bytes: number;
}

function sample({ pid }: ChildProcess, netnsIds: ReadonlySet<string>, core: number): Sample {
  const received = receivedBy(pid);
  return { atMs: performance.now(), cpu: sampleCpu(netnsIds, core), ...received };
}

/** A process's /proc/net/dev is that of its namespace: `eth0: <bytes> <packets> …`, received first (man proc_pid_net). */
function receivedBy(pid: number | undefined): { readonly bytes: number; readonly packets: number } {
  const text = readFileSync(`/proc/${pid}/net/dev`, "utf8");
  const [, bytes, packets] = /^ *eth0: *(\d+) +(\d+)/m.exec(text) ?? [];
  return { bytes: Number(bytes), packets: Number(packets) };
}

/** Waits until the server has its port: `<n>: <address>:<port in hex> …` in /proc/net/tcp (man proc_pid_net). */
async function untilBound(
  { pid, exitCode }: ChildProcess,
  protocol: "tcp" | "udp",
  signal: AbortSignal,
): Promise<void> {
  const bound = new RegExp(`^ *\\d+: [0-9A-F]+:${PORT.toString(16).toUpperCase().padStart(4, "0")} `, "m");
  const deadline = Date.now() + READY_TIMEOUT_MS;
  const isBound = (): boolean =>
    ["", "6"].some((version) => bound.test(readFileSync(`/proc/${pid}/net/${protocol}${version}`, "utf8")));
  while (!isBound()) {
    if (exitCode !== null || Date.now() > deadline)
      throw new Error(`Cannot start load: no server on port ${PORT}`);
    await systemClock.sleep(20, { signal });
  }
}

async function untilFlowing({ child, ended }: Running, signal: AbortSignal): Promise<void> {
  const { packets } = receivedBy(child.pid);
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (receivedBy(child.pid).packets < packets + FIRST_PACKETS) {
    if (child.exitCode !== null) throw new Error(`Cannot start load: ${await ended()}`);
    if (Date.now() > deadline) throw new Error("Cannot start load: the server hears nothing");
    await systemClock.sleep(20, { signal });
  }
}

function roundTripIn(output: string): number | undefined {
  const [, value] = /percentile 50\.000 = +([\d.]+)/.exec(output) ?? [];
  return value === undefined ? undefined : Number(value);
}
