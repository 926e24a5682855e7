// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";

export interface Persistence {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;

/** Tries until it succeeds: the datastore may come up after its users, and the kernel may be busy. */
export async function persist(
  what: string,
  action: () => Promise<void>,
  { clock, log, signal }: Persistence,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      await action();
      return;
    } catch (error) {
      signal.throwIfAborted();
      log.warn(`Cannot ${what} yet`, { error });
      await clock.sleep(Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS), { signal });
    }
  }
}
