// SPDX-License-Identifier: Apache-2.0
// What tracing a busy container costs: 10,000 datagrams a second flow through it to another host, in windows with and without traces in turn.
// npm run bench -- trace [--rounds 7] [--seconds 3] [--core 0] [--write]
import { once } from "node:events";
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { describeFailure } from "../src/cli/failure.ts";
import { stopSignals } from "../src/cli/signals.ts";
import { endsInLab } from "../src/cli/trace/places.ts";
import { type LabStatus, openLab } from "../src/lab/lab.ts";
import { observe } from "../src/observe/observe.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemProcesses } from "../src/system/process.ts";
import { explain } from "../src/trace/explain.ts";
import { writeSection } from "./report/page.ts";
import { summarize } from "./report/statistics.ts";
import { renderTable } from "./report/table.ts";
import { cpuBetween, sampleCpu } from "./tunnel/cpu-time.ts";
import { netnsIdsOf } from "./tunnel/way.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "3" },
    core: { type: "string", default: "0" },
    /** Puts the table into docs/. */
    write: { type: "boolean", default: false },
  },
});
const [rounds, seconds, core] = [Number(values.rounds), Number(values.seconds), Number(values.core)];

const NAMES = ["no trace", "one trace a second"] as const;
type Name = (typeof NAMES)[number];
/** 100 octets in each datagram. */
const BITS_PER_SECOND = 8_000_000;

interface Window {
  readonly packetsPerSecond: number;
  /** Datagrams that did not come to the receiver's kernel, and those that came while its buffer was full. */
  readonly lost: number;
  readonly overflowed: number;
  /** Seconds of processor time for each second: of sender and receiver, in which the kernel's work for each packet is, and of the tracing process. */
  readonly traffic: number;
  readonly tracing: number;
  /** How long one trace took, in milliseconds. */
  readonly traceMs: readonly number[];
}

interface Traffic {
  readonly end: {
    readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

async function measure(status: LabStatus, name: Name, signal: AbortSignal): Promise<Window> {
  const netnsIds = netnsIdsOf(status);
  const { dst } = endsInLab(status, "a", "d");
  const enter: Enter = (node, ...command) => {
    const { netns } = status.containers.find((one) => one.name === node) ?? { netns: "" };
    return ["taskset", ["-c", String(core), "ip", "netns", "exec", netns, ...command]];
  };
  const before = await overflows(enter, signal);
  const server = spawn(...enter("d", "iperf3", "--server", "--one-off"), { stdio: "ignore", signal });
  const ended = once(server, "close");
  await sleep(500, undefined, { signal });
  const options = ["--udp", "--length", "100", "--bitrate", String(BITS_PER_SECOND)];
  const client = systemProcesses.run(
    ...enter("a", "iperf3", "--client", dst, ...options, "--time", String(seconds + 1), "--json"),
    { signal },
  );
  await sleep(500, undefined, { signal });
  const [start, startCpu] = [sampleCpu(netnsIds, core), process.cpuUsage()];
  const began = performance.now();
  const traceMs: number[] = [];
  while (performance.now() - began < seconds * 1000) {
    if (name !== "no trace") traceMs.push(await trace(status, signal));
    const rest = seconds * 1000 - (performance.now() - began);
    await sleep(Math.max(0, Math.min(1000 - (traceMs.at(-1) ?? 0), rest)), undefined, { signal });
  }
  const took = (performance.now() - began) / 1000;
  const { own } = cpuBetween(start, sampleCpu(netnsIds, core));
  const { user, system } = process.cpuUsage(startCpu);
  const { stdout } = await client;
  const { sum } = (JSON.parse(stdout) as Traffic).end;
  await ended;
  const overflowed = (await overflows(enter, signal)) - before;
  return {
    packetsPerSecond: sum.packets / sum.seconds,
    lost: Math.max(0, sum.lost_packets - overflowed),
    overflowed,
    traffic: own / took,
    tracing: (user + system) / 1e6 / took,
    traceMs,
  };
}

type Enter = (node: string, ...command: readonly string[]) => [string, string[]];

/** How many datagrams the receiver's kernel has dropped so far, for nobody took them in time. */
async function overflows(enter: Enter, signal: AbortSignal): Promise<number> {
  const { stdout } = await systemProcesses.run(...enter("d", "cat", "/proc/net/snmp"), { signal });
  const [names = [], counts = []] = stdout
    .split("\n")
    .filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  return Number(counts[names.indexOf("RcvbufErrors")]);
}

async function trace(status: LabStatus, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  const { src, dst, ...ends } = endsInLab(status, "a", "d");
  const probe = { kind: "udp", src, dst, packetBytes: 100, port: 4242 } as const;
  const { ok } = explain(await observe({ processes: systemProcesses }, { ...ends, probe }, { signal }));
  if (!ok) throw new Error("A trace did not find its probe, or accuses a network that is well");
  return performance.now() - began;
}

function render(windows: ReadonlyMap<Name, readonly Window[]>): string {
  const percent = (list: readonly number[]): string => {
    const { median, smallest, largest } = summarize(list.map((share) => share * 100));
    return `${median.toFixed(1)} (${smallest.toFixed(1)} … ${largest.toFixed(1)})`;
  };
  const rows = NAMES.map((name) => {
    const all = windows.get(name) ?? [];
    return [
      name,
      summarize(all.map(({ packetsPerSecond }) => packetsPerSecond)).median.toFixed(0),
      String(all.reduce((sum, { lost }) => sum + lost, 0)),
      String(all.reduce((sum, { overflowed }) => sum + overflowed, 0)),
      percent(all.map(({ traffic }) => traffic)),
      percent(all.map(({ tracing }) => tracing)),
    ];
  });
  const [without = [], traced = []] = NAMES.map((name) => windows.get(name));
  const more = percent(
    traced.map(
      ({ traffic, tracing }, index) =>
        traffic + tracing - (without[index]?.traffic ?? 0) - (without[index]?.tracing ?? 0),
    ),
  );
  const times = summarize(traced.flatMap(({ traceMs }) => traceMs));
  return [
    `${rounds} rounds of ${seconds} s. A trace took ${times.median.toFixed(0)} ms (${times.smallest.toFixed(0)} … ${times.largest.toFixed(0)}), and each found its own probe. With one a second, the node worked ${more} % of a core more.`,
    renderTable([
      [
        "",
        "packets a second",
        "lost on the way",
        "too many for the receiver",
        "% of a core for the traffic",
        "% of a core for the traces",
      ],
      ...rows,
    ]),
  ].join("\n\n");
}

using stop = stopSignals();
const quiet = { processes: systemProcesses, clock: systemClock, progress: (): void => undefined };
const lab = openLab(quiet, "mbr");
try {
  const id = await lab.up({ mustBeNew: true, signal: stop.signal });
  const windows = new Map<Name, Window[]>();
  try {
    const status = await lab.status();
    for (let round = 1; round <= rounds; round++)
      for (const name of NAMES) {
        process.stderr.write(`round ${round} of ${rounds}: ${name}\n`);
        windows.set(name, [...(windows.get(name) ?? []), await measure(status, name, stop.signal)]);
      }
  } finally {
    await lab.down({ id, signal: new AbortController().signal });
  }
  const report = render(windows);
  console.log(report);
  if (values.write) writeSection("trace", report);
} catch (error) {
  process.stderr.write(`${stop.exitCode === undefined ? describeFailure(error) : "interrupted"}\n`);
  process.exitCode = stop.exitCode ?? 1;
}
