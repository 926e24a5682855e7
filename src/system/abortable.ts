// SPDX-License-Identifier: Apache-2.0

/**
 * What `promise` comes to, or the signal's reason as soon as it aborts. The work behind the promise goes on; what it
 * comes to then is nobody's concern any more.
 */
export async function abortable<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(signal.reason as Error);
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Tasks that must not overlap: each starts when all before it have ended, in the order of the calls. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Rejects at once with the signal's reason; the task then does not start, or has its turn to its own end. */
  take<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return task();
    });
    this.#last = turn.catch(() => undefined);
    return abortable(turn, signal);
  }

  /** Resolves when nothing is under way that was asked for before. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
