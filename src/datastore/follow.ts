// SPDX-License-Identifier: Apache-2.0
import { type Clock, systemClock } from "../system/clock.ts";
import { type Log, silentLog } from "../system/log.ts";
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { revisionOf } from "./change.ts";
import { type Change, DatastoreError, type Entry, type Listing, type Revision, type Store } from "./store.ts";

/** What stands under a prefix, as it comes about: one snapshot first, then nothing but changes. */
export type FollowEvent =
  | { readonly kind: "snapshot"; readonly entries: readonly Entry[]; readonly revision: Revision }
  | { readonly kind: "changes"; readonly changes: readonly Change[]; readonly revision: Revision };

export type FollowState =
  | { readonly kind: "connected" }
  /** `sinceMs` is the first failure of this outage by the clock, `error` the latest one. */
  | { readonly kind: "disconnected"; readonly sinceMs: number; readonly error: DatastoreError };

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Called when the state changes, and with every failed try of an outage. */
  readonly onState?: (state: FollowState) => void;
}

/**
 * Follows everything under `prefix` until the signal aborts. While the store cannot be reached the stream is silent and
 * what was said stays the last known truth; then it goes on where it stopped. Where the history in between is gone, it
 * lists again and tells the difference: a key is only ever deleted because a change or a listing says so.
 *
 * Throws {@link DatastoreError} `closed` or `invalid`, which no waiting would cure.
 */
export async function* follow(
  store: Store,
  prefix: string,
  options: FollowOptions,
): AsyncGenerator<FollowEvent> {
  const { signal } = options;
  const view = new View();
  const connection = new Connection(prefix, options);
  while (!signal.aborted) {
    try {
      yield* resume(store, prefix, view, connection, signal);
    } catch (error) {
      if (isAborted(signal)) return;
      if (!isCurable(error)) throw error;
      if (error.code === "compacted") view.stale = true;
      await connection.failed(error);
    }
  }
}

/** One connection's worth of events; ends only with the signal or an error. */
async function* resume(
  store: Store,
  prefix: string,
  view: View,
  connection: Connection,
  signal: AbortSignal,
): AsyncGenerator<FollowEvent> {
  if (view.stale) {
    const event = view.replace(await store.list(prefix, { signal }));
    connection.succeeded();
    if (event !== undefined) yield event;
  } else {
    // A watch is silent until something changes; a read tells at once whether the store is back.
    await store.get(prefix === "" ? "/" : prefix, { signal });
    connection.succeeded();
  }
  for await (const changes of store.watch(prefix, { after: view.revision, signal })) {
    yield view.apply(changes);
  }
  if (!isAborted(signal))
    throw new DatastoreError("unavailable", `Cannot watch "${prefix}": the watch ended`);
}

/** What the reader of the stream was told so far, as far as a difference needs it. */
class View {
  readonly #known = new Map<string, Revision>();
  /** Zero until the first listing. */
  revision: Revision = 0;
  /** True where only a listing can tell what stands now. */
  stale = true;

  apply(changes: readonly Change[]): FollowEvent {
    for (const change of changes) {
      if (change.kind === "put") this.#known.set(change.entry.key, change.entry.revision);
      else this.#known.delete(change.key);
      this.revision = revisionOf(change);
    }
    return { kind: "changes", changes, revision: this.revision };
  }

  /** Takes a listing over; the first is the snapshot, and of a later one that brings nothing new there is no event. */
  replace(listing: Listing): FollowEvent | undefined {
    const first = this.revision === 0;
    const changes = this.#difference(listing);
    const event = this.apply(changes);
    this.revision = listing.revision;
    this.stale = false;
    if (first) return { kind: "snapshot", ...listing };
    return changes.length === 0 ? undefined : { ...event, revision: listing.revision };
  }

  #difference({ entries, revision }: Listing): readonly Change[] {
    // A store that went back is another one, or a copy: there the same revision may be another write.
    const trusted = revision >= this.revision;
    const puts = entries
      .filter(({ key, revision }) => !trusted || this.#known.get(key) !== revision)
      .sort((a, b) => a.revision - b.revision)
      .map((entry): Change => ({ kind: "put", entry }));
    const listed = new Set(entries.map(({ key }) => key));
    const deletes = Array.from(this.#known.keys())
      .filter((key) => !listed.has(key))
      .map((key): Change => ({ kind: "delete", key, revision }));
    return [...puts, ...deletes];
  }
}

const BACKOFF: BackoffOptions = { firstMs: 100, limitMs: 5000 };

/** Whether the store answers: tells the owner, and paces the tries. */
class Connection {
  readonly #prefix: string;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onState: (state: FollowState) => void;
  #failures = 0;
  #state: FollowState | undefined;
  #upSinceMs = 0;

  constructor(prefix: string, options: FollowOptions) {
    const { signal, clock = systemClock, log = silentLog, onState = () => undefined } = options;
    this.#prefix = prefix;
    this.#signal = signal;
    this.#clock = clock;
    this.#log = log;
    this.#onState = onState;
  }

  succeeded(): void {
    this.#upSinceMs = this.#clock.now();
    if (this.#state?.kind === "connected") return;
    this.#log.info("Following the datastore", { prefix: this.#prefix });
    this.#enter({ kind: "connected" });
  }

  /** Takes a failure down, and resolves when it is time for the next try, or at the abort. */
  async failed(error: DatastoreError): Promise<void> {
    const now = this.#clock.now();
    // What broke right after it stood was no recovery.
    if (this.#state?.kind === "connected" && now - this.#upSinceMs >= BACKOFF.limitMs) this.#failures = 0;
    this.#failures += 1;
    if (error.code !== "compacted") this.#enterOutage(error, now);
    // The only rejection is the abort, which the caller looks for.
    await this.#clock
      .sleep(backoffMs(this.#failures, BACKOFF), { signal: this.#signal })
      .catch(() => undefined);
  }

  #enterOutage(error: DatastoreError, now: number): void {
    const before = this.#state;
    if (before?.kind !== "disconnected") {
      this.#log.warn("Lost the datastore; what was last known stays", { prefix: this.#prefix, error });
    }
    this.#enter({
      kind: "disconnected",
      sinceMs: before?.kind === "disconnected" ? before.sinceMs : now,
      error,
    });
  }

  #enter(state: FollowState): void {
    this.#state = state;
    this.#onState(state);
  }
}

function isCurable(error: unknown): error is DatastoreError {
  return error instanceof DatastoreError && error.code !== "closed" && error.code !== "invalid";
}

/** Asked through a function, since the compiler believes that a signal once found unaborted stays so. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
