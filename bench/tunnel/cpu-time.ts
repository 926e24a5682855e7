// SPDX-License-Identifier: Apache-2.0
// How long processors worked for one purpose, on a machine that does other things besides.
import { readFileSync, readdirSync } from "node:fs";
import { listOccupants } from "../../src/lab/occupants.ts";

/** Nanoseconds on a processor so far, by the number of the thread. */
type ThreadTimes = ReadonlyMap<string, number>;

/** What the processors had done at one moment. */
export interface CpuSample {
  readonly own: ThreadTimes;
  /** Seconds that the core was not idle, whoever kept it busy. */
  readonly coreBusy: number;
}

/** Work between two samples, in seconds. */
export interface CpuTime {
  readonly own: number;
  readonly coreBusy: number;
}

/**
 * Threads of the kernel that carry packets for others: softirqs that were too many to be done at once, and WireGuard's ciphers. What is done
 * in softirqs otherwise counts as time of the thread that it interrupts: here the one that sends, unless the kernel
 * accounts for interrupts (CONFIG_IRQ_TIME_ACCOUNTING).
 */
const CARRIERS = /^ksoftirqd\/|wg-crypt/;
/** USER_HZ, in which /proc/stat counts whatever the kernel's own tick is (man proc_stat). */
const TICKS_PER_SECOND = 100;

/** The time of everything that runs in the network namespaces, and of the kernel's threads that carry packets. */
export function sampleCpu(netnsIds: ReadonlySet<string>, core: number): CpuSample {
  const pids = [...listOccupants(netnsIds).map(({ pid }) => String(pid)), ...carriers()];
  return { own: new Map(pids.flatMap(threadTimes)), coreBusy: coreBusySeconds(core) };
}

/** Threads that are in one sample only are left out: what they did before or after it is not known. */
export function cpuBetween(start: CpuSample, end: CpuSample): CpuTime {
  const deltas = Array.from(end.own, ([thread, ns]) => ns - (start.own.get(thread) ?? ns));
  const own = deltas.reduce((sum, ns) => sum + ns, 0) / 1e9;
  return { own, coreBusy: end.coreBusy - start.coreBusy };
}

function carriers(): readonly string[] {
  return readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && CARRIERS.test(readIfThere(`/proc/${name}/comm`)),
  );
}

/** The first field of schedstat is the time on a processor in nanoseconds (Documentation/scheduler/sched-stats.rst). */
function threadTimes(pid: string): readonly (readonly [string, number])[] {
  return threadsOf(pid).flatMap((thread) => {
    const [ns = ""] = readIfThere(`/proc/${pid}/task/${thread}/schedstat`).split(" ");
    return ns === "" ? [] : [[thread, Number(ns)] as const];
  });
}

function threadsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It ended meanwhile.
    return [];
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** user nice system idle iowait irq softirq steal … (man proc_stat): all but what is idle, and what other machines took. */
function coreBusySeconds(core: number): number {
  const line = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .find((candidate) => candidate.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    line?.split(" ").slice(1).map(Number) ?? [];
  return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
}
