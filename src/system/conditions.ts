// SPDX-License-Identifier: Apache-2.0

interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
}

/** Those who wait for something to become true of a state that one loop changes. */
export class Conditions {
  readonly #waiters = new Set<Waiter>();
  #checks = 0;

  /** How often the state may have changed so far. */
  get checks(): number {
    return this.#checks;
  }

  /** Resolves once `isMet` holds at a {@link check}, or already now; rejects with the signal's reason. */
  async until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (isMet()) return;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const waiter: Waiter = { isMet, resolve: resolve.bind(undefined, undefined) };
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    this.#waiters.add(waiter);
    signal.addEventListener("abort", abort);
    try {
      await promise;
    } finally {
      this.#waiters.delete(waiter);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Called whenever the state may have changed. */
  check(): void {
    this.#checks++;
    for (const waiter of this.#waiters) if (waiter.isMet()) waiter.resolve();
  }
}
