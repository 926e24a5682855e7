// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";

/** Time as the program sees it; tests put a {@link createFakeClock} in its place. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds, with parts of them, since some moment: to measure with, for nobody sets it. */
  elapsedMs(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsedMs: () => performance.now(),
  async sleep(ms, { signal } = {}) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  },
};

export interface FakeClock extends Clock {
  /** Moves time forward and wakes every sleeper whose time has come, in order. */
  advance(ms: number): void;
  /** How many sleepers wait. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export function createFakeClock(startMs = 0): FakeClock {
  let now = startMs;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => now,
    elapsedMs: () => now - startMs,
    sleep(ms, { signal } = {}) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      if (signal?.aborted === true) return Promise.reject(asError(signal.reason));
      const done = (): void => {
        sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        done();
        reject(asError(signal?.reason));
      };
      const wake = (): void => {
        done();
        resolve(undefined);
      };
      const sleeper: Sleeper = { at: now + ms, wake };
      sleepers.add(sleeper);
      signal?.addEventListener("abort", abort);
      return promise;
    },
    advance(ms) {
      now += ms;
      for (const sleeper of [...sleepers].sort((a, b) => a.at - b.at)) if (sleeper.at <= now) sleeper.wake();
    },
    get sleepers() {
      return sleepers.size;
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("Aborted", { cause: reason });
}
