// SPDX-License-Identifier: Apache-2.0
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** In bytes. */
export interface MemoryUse {
  /** What the process occupies. */
  readonly rss: number;
  /** What live and not yet collected objects occupy. */
  readonly heapUsed: number;
}

export function measureMemory(): MemoryUse {
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heapUsed };
}

/** V8 drops compiled code that was not run during this many collections. */
const COLLECTIONS = 8;

/** Collects all garbage now, unused code included, so that two measurements can be compared: for those who look for a leak. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") return;
  for (let round = 0; round < COLLECTIONS; round++) Reflect.apply(collect, undefined, []);
}
