// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Entry, type Expectation, type Store } from "../datastore/store.ts";
import { type Parsed, formatIssues } from "../model/issue.ts";

/** How a value is kept as text. */
export interface Codec<T> {
  parse(text: string): Parsed<T>;
  render(value: T): string;
}

/**
 * Makes the new value out of the one that stands there, `undefined` for none; the same value back means that nothing is
 * to be written. It may run several times, and must not keep what it saw.
 */
export type Edit<T, R> = (value: T | undefined) => { readonly value: T | undefined; readonly result: R };

/** What is known of the key: its value, and the condition under which a write may replace it. */
interface Known<T> {
  readonly value: T | undefined;
  readonly expect: Expectation;
}

interface Waiting<T> {
  /** Runs the edit and keeps its result for later; the value is what the next edit sees. */
  readonly run: (value: T | undefined) => T | undefined;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
  isCancelled: boolean;
}

/** Races lost in a row before giving up, as Calico. */
const MAX_RACES = 100;

/**
 * One key of the store, changed by compare-and-swap only. It remembers what it last saw, so that the common change costs
 * one write and no read; and edits that arrive while a write is under way are made together by the next one.
 */
export class Cell<T> {
  readonly #store: Store;
  readonly #key: string;
  readonly #codec: Codec<T>;
  #known: Known<T> | undefined;
  #waiting: Waiting<T>[] = [];
  #isBusy = false;

  constructor(store: Store, key: string, codec: Codec<T>) {
    this.#store = store;
    this.#key = key;
    this.#codec = codec;
  }

  /** The value as last seen, for decisions that the write itself will check; `undefined` also where none was seen. */
  get seen(): T | undefined {
    return this.#known?.value;
  }

  /** The value that a listing showed; it is taken over unless something newer is known, or about to be. */
  observe(entry: Entry): T {
    const known = this.#known;
    if (known?.value !== undefined && known.expect === entry.revision) return known.value;
    const value = this.#parse(entry);
    const isNewer = known === undefined || known.expect === "absent" || known.expect < entry.revision;
    if (!this.#isBusy && isNewer) this.#known = { value, expect: entry.revision };
    return value;
  }

  /** Guesses that there is no such key, which saves the read where the guess is right. */
  expectAbsent(): void {
    this.#known ??= { value: undefined, expect: "absent" };
  }

  /**
   * Applies an edit and returns its result once it is stored. The edit sees a value that is current: what it decides not
   * to write is checked against the store too. When the signal aborts during the write, whether it happened is unknown.
   * Throws `DatastoreError`, and what the edit throws.
   */
  async update<R>(edit: Edit<T, R>, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    let result: { readonly value: R } | undefined;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiting: Waiting<T> = {
      run: (value) => {
        const made = edit(value);
        result = { value: made.result };
        return made.value;
      },
      resolve: () => {
        resolve(undefined);
      },
      reject,
      isCancelled: false,
    };
    const abort = (): void => {
      waiting.isCancelled = true;
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#waiting.push(waiting);
      void this.#drain();
      await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    if (result === undefined) throw new Error(`Cannot update "${this.#key}": the edit did not run`);
    return result.value;
  }

  /** Never rejects: every failure goes to those who wait for it. */
  async #drain(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0).filter(({ isCancelled }) => !isCancelled);
      try {
        const failed = await this.#commit(batch);
        for (const waiting of batch) {
          if (failed.has(waiting)) waiting.reject(failed.get(waiting));
          else waiting.resolve();
        }
      } catch (error) {
        // The write may have happened all the same: look before the next one.
        this.#known = undefined;
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.#isBusy = false;
  }

  /** Writes the batch; returns those whose own edit failed, with the reason. */
  async #commit(batch: readonly Waiting<T>[]): Promise<ReadonlyMap<Waiting<T>, unknown>> {
    let isFresh = this.#known === undefined;
    for (let race = 0; race < MAX_RACES; race++) {
      this.#known ??= this.#read(await this.#store.get(this.#key));
      const { value: next, failed } = applyAll(batch, this.#known.value);
      if (next === this.#known.value) {
        if (isFresh) return failed;
        this.#known = undefined;
      } else if (await this.#write(next, this.#known.expect)) {
        return failed;
      }
      isFresh = true;
    }
    throw new DatastoreError("unavailable", `Cannot write "${this.#key}": lost ${MAX_RACES} races in a row`);
  }

  /** Whether the value was written; if not, what stands there instead is known now. */
  async #write(value: T | undefined, expect: Expectation): Promise<boolean> {
    const result =
      value === undefined
        ? await this.#store.delete(this.#key, { expect })
        : await this.#store.put(this.#key, this.#codec.render(value), { expect });
    if (result.kind === "conflict") {
      this.#known = this.#read(result.current);
      return false;
    }
    this.#known = { value, expect: value === undefined ? "absent" : result.revision };
    return true;
  }

  #read(entry: Entry | undefined): Known<T> {
    if (entry === undefined) return { value: undefined, expect: "absent" };
    return { value: this.#parse(entry), expect: entry.revision };
  }

  #parse(entry: Entry): T {
    const parsed = this.#codec.parse(entry.value);
    if (parsed.kind === "ok") return parsed.value;
    throw new DatastoreError("corrupt", `Cannot read "${this.#key}": ${formatIssues(parsed.issues)}`);
  }
}

function applyAll<T>(
  batch: readonly Waiting<T>[],
  start: T | undefined,
): { readonly value: T | undefined; readonly failed: ReadonlyMap<Waiting<T>, unknown> } {
  const failed = new Map<Waiting<T>, unknown>();
  let value = start;
  for (const waiting of batch) {
    try {
      value = waiting.run(value);
    } catch (error) {
      failed.set(waiting, error);
    }
  }
  return { value, failed };
}
