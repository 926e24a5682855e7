// SPDX-License-Identifier: Apache-2.0

/** Runs actions of one key one after another, those of different keys side by side. */
export class KeyedQueue {
  /** key -> the end of the last action queued for it; entries leave when their queue is empty */
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const mine = before.then(action, action);
    this.#last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key);
    }
  }

  /** Resolves when all that was queued until now has ended, however it ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
