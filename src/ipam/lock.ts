// SPDX-License-Identifier: Apache-2.0

/** Runs tasks one at a time for each key, in the order they came. */
export class Lock {
  readonly #tails = new Map<string, Promise<undefined>>();

  /** Rejects with the signal's reason if it aborts before the task's turn; the task itself is never cut short. */
  async run<T>(key: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: done, resolve } = Promise.withResolvers<undefined>();
    const tail = before === undefined ? done : before.then(() => done);
    this.#tails.set(key, tail);
    try {
      await untilAborted(before, signal);
      return await task();
    } finally {
      resolve(undefined);
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}

async function untilAborted(before: Promise<undefined> | undefined, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  if (signal === undefined || before === undefined) return before;
  const { promise: aborted, reject } = Promise.withResolvers<undefined>();
  const abort = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([before, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
