// SPDX-License-Identifier: Apache-2.0

/**
 * A point in the history of the whole store: a positive integer that every write increases.
 * It is etcd's `revision`; the embedded store counts the same way.
 */
export type Revision = number;

/** One key as it stood after the write with revision `revision` (etcd's `mod_revision`). */
export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly revision: Revision;
}

/** One write, in the order of revisions. */
export type Change =
  | { readonly kind: "put"; readonly entry: Entry }
  | { readonly kind: "delete"; readonly key: string; readonly revision: Revision };

/** What came of a conditional write. A lost race is an answer, not an error. */
export type WriteResult =
  | { readonly kind: "written"; readonly revision: Revision }
  /** The condition did not hold; `current` is what stands there instead, if anything does. */
  | { readonly kind: "conflict"; readonly current: Entry | undefined };

/** The condition of a write: the key's current revision, or that there is no such key. */
export type Expectation = Revision | "absent";

export interface WaitOptions {
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends WaitOptions {
  /** Write only if this holds; without it the write is unconditional. */
  readonly expect?: Expectation;
}

export interface Listing {
  /** Sorted by key, bytewise. */
  readonly entries: readonly Entry[];
  /** The revision the whole listing was read at; watch after it to miss nothing. */
  readonly revision: Revision;
}

/**
 * The key-value store that everything shared by nodes lives in, after etcd's v3 API.
 * Every method may throw {@link DatastoreError}.
 */
export interface Store extends AsyncDisposable {
  get(key: string, options?: WaitOptions): Promise<Entry | undefined>;
  list(prefix: string, options?: WaitOptions): Promise<Listing>;
  put(key: string, value: string, options?: WriteOptions): Promise<WriteResult>;
  /** Deleting a key that is not there is a conflict with no current entry. */
  delete(key: string, options?: WriteOptions): Promise<WriteResult>;
  /**
   * Every change under `prefix` with a revision over `after`, each exactly once, in order, in batches that never
   * split a revision. Ends quietly when the signal aborts. Throws with code `compacted` where the history after `after`
   * is gone, or where the store never came to `after` (it is another one, or an older copy): list again.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<readonly Change[]>;
}

export interface WatchOptions {
  readonly after: Revision;
  readonly signal: AbortSignal;
}

/**
 * - `unavailable`: the store cannot be reached now; trying again may help
 * - `compacted`: the history asked for is gone
 * - `corrupt`: what is stored cannot be read; a person must look
 * - `closed`: this handle was disposed
 * - `invalid`: the request itself is malformed
 */
export type DatastoreErrorCode = "unavailable" | "compacted" | "corrupt" | "closed" | "invalid";

export class DatastoreError extends Error {
  override readonly name = "DatastoreError";
  readonly code: DatastoreErrorCode;

  constructor(code: DatastoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
