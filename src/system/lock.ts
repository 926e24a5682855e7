// SPDX-License-Identifier: Apache-2.0
import { abortable } from "./abortable.ts";

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
      signal?.throwIfAborted();
      if (before !== undefined) await abortable(before, signal);
      return await task();
    } finally {
      resolve(undefined);
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** Resolves when every task that was asked for until now has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
