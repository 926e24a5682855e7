// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync, statSync } from "node:fs";
import type { Clock } from "../system/clock.ts";
import { LabError } from "./error.ts";

/** A process that runs in one of the lab's network namespaces. */
export interface Occupant {
  readonly pid: number;
  readonly parentPid: number;
  /** `<device>:<inode>` of its network namespace. */
  readonly netnsId: string;
  /** The kernel's short name of its program. */
  readonly command: string;
  readonly args: readonly string[];
}

/** `<device>:<inode>` of the network namespace at the path, or `undefined` where there is none. */
export function netnsIdAt(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}

/** The processes whose main thread is in one of the namespaces; the kernel's word, not a file's. */
export function listOccupants(netnsIds: ReadonlySet<string>): readonly Occupant[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const occupant = readOccupant(Number(name), netnsIds);
      return occupant === undefined ? [] : [occupant];
    });
}

/** Kills every process in the namespaces, also those that start meanwhile, and waits until they are gone. */
export async function killOccupants(
  netnsIds: ReadonlySet<string>,
  { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal },
): Promise<void> {
  const deadline = clock.now() + KILL_TIMEOUT_MS;
  for (;;) {
    const occupants = listOccupants(netnsIds);
    if (occupants.length === 0) return;
    if (clock.now() > deadline) {
      const pids = occupants.map(({ pid, command }) => `${pid} (${command})`).join(", ");
      throw new LabError("failed", `Cannot end processes ${pids}: still there after ${KILL_TIMEOUT_MS} ms`);
    }
    for (const { pid } of occupants) kill(pid);
    await clock.sleep(KILL_INTERVAL_MS, signal && { signal });
  }
}

const KILL_TIMEOUT_MS = 5000;
/** The end of a process that is no child of ours shows only in /proc. */
const KILL_INTERVAL_MS = 10;

function readOccupant(pid: number, netnsIds: ReadonlySet<string>): Occupant | undefined {
  try {
    const netnsId = netnsIdAt(`/proc/${pid}/ns/net`);
    if (netnsId === undefined || !netnsIds.has(netnsId)) return undefined;
    const command = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return { pid, parentPid: readParent(pid), netnsId, command, args };
  } catch {
    // It ended meanwhile; and what has ended but was not waited for has no namespace any more.
    return undefined;
  }
}

/** Its parent, as proc_pid_status(5) has it. */
function readParent(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}
