// SPDX-License-Identifier: Apache-2.0
import type { Revision } from "./store.ts";

/**
 * The places that watchers have read a history up to. A watcher keeps no queue: it is a number, moved by reading, and
 * a write wakes only those whose prefix it concerns. So a watcher that is slow, or many that are idle, cost no memory.
 */
export class Cursors {
  readonly #open = new Set<Cursor>();

  open(prefix: string, position: Revision): Cursor {
    const cursor: Cursor = new Cursor(prefix, position, () => this.#open.delete(cursor));
    this.#open.add(cursor);
    return cursor;
  }

  /** Tells of writes to `keys`, which took the history from revision `from` to `to`. */
  advance(keys: readonly string[], from: Revision, to: Revision): void {
    for (const cursor of this.#open) {
      // One that lags has something to read already, and finds these changes when it comes to them.
      if (cursor.position !== from) continue;
      if (keys.some((key) => key.startsWith(cursor.prefix))) cursor.wake();
      // Moving the idle along keeps their place inside the bounded history.
      else cursor.position = to;
    }
  }

  wakeAll(): void {
    for (const cursor of this.#open) cursor.wake();
  }

  get size(): number {
    return this.#open.size;
  }
}

export class Cursor implements Disposable {
  readonly prefix: string;
  /** Every change up to this revision was read, or does not concern the prefix. */
  position: Revision;
  readonly #remove: () => void;
  #wake: (() => void) | undefined;

  constructor(prefix: string, position: Revision, remove: () => void) {
    this.prefix = prefix;
    this.position = position;
    this.#remove = remove;
  }

  /** Resolves at the next {@link wake}; a wake with nobody waiting is not remembered, so look before waiting. */
  woken(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#wake = () => {
      resolve(undefined);
    };
    return promise;
  }

  readonly wake = (): void => {
    this.#wake?.();
    this.#wake = undefined;
  };

  [Symbol.dispose](): void {
    this.#remove();
  }
}
