// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import type { Clock } from "../system/clock.ts";
import { keyOf, revisionOf } from "./change.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { type FollowEvent, type FollowState, follow } from "./follow.ts";
import { createRandom } from "../system/random.ts";
import { type Change, DatastoreError, type Revision, type Store } from "./store.ts";

const HISTORY = 50;

test("a snapshot comes first, then every change", { timeout: 30_000 }, async () => {
  await using store = openMemory();
  await store.put("/a/1", "one");
  const follower = startFollower(store);
  const first = await follower.next();
  assert.deepEqual(first, { kind: "snapshot", ...(await store.list("/a/")) });
  await store.put("/a/2", "two");
  await store.put("/b/1", "beside");
  await store.delete("/a/1");
  await follower.until(() => follower.seen.size === 1 && follower.seen.has("/a/2"));
  assert.deepEqual(await follower.stop(), [{ kind: "connected" }]);
});

test("an outage is silent, and the stream goes on where it stopped", { timeout: 30_000 }, async () => {
  await using inner = openMemory();
  const store = breakable(inner);
  await inner.put("/a/1", "one");
  const follower = startFollower(store);
  await follower.next();
  store.cut();
  await follower.untilState("disconnected");
  await inner.put("/a/2", "two");
  await inner.delete("/a/1");
  const listings = store.listings;
  store.mend();
  await follower.until(() => follower.seen.size === 1 && follower.seen.has("/a/2"));
  assert.equal(store.listings, listings, "listed again although the history was there");
  assert.deepEqual(follower.told, ["put /a/2", "delete /a/1"]);
  const states = await follower.stop();
  assert.deepEqual(new Set(states.map(({ kind }) => kind)), new Set(["connected", "disconnected"]));
  const outage = states.filter((state) => state.kind === "disconnected");
  assert.equal(new Set(outage.map(({ sinceMs }) => sinceMs)).size, 1, "one outage has one beginning");
  assert.ok(outage.every(({ error }) => error.code === "unavailable"));
});

test("a store that is away from the start is waited for, ever longer", { timeout: 30_000 }, async () => {
  await using inner = openMemory();
  await inner.put("/a/1", "one");
  const store = breakable(inner);
  store.cut();
  const follower = startFollower(store);
  const first = follower.next();
  await follower.untilState("disconnected", 12);
  store.mend();
  assert.equal((await first).kind, "snapshot");
  const waits = follower.waitsMs.slice(0, 12);
  assert.ok((waits[0] ?? 0) <= 100 && (waits[3] ?? 0) > 300, `first waits: ${waits.join(" ")}`);
  assert.ok((waits[11] ?? 0) > 2000 && waits.every((wait) => wait <= 5000), `last waits: ${waits.join(" ")}`);
  await follower.stop();
});

test("after compaction only the difference is told", { timeout: 30_000 }, async () => {
  await using inner = openMemory();
  const store = breakable(inner);
  for (const name of ["same", "changed", "gone", "again"]) await inner.put(`/a/${name}`, "before");
  const follower = startFollower(store);
  await follower.next();
  store.cut();
  await follower.untilState("disconnected");
  await inner.delete("/a/gone");
  await inner.put("/a/changed", "after");
  await inner.delete("/a/again");
  await inner.put("/a/again", "after");
  await inner.put("/a/new", "after");
  for (let n = 0; n < HISTORY; n++) await inner.put("/filler", String(n));
  store.mend();
  await follower.until(() => follower.seen.has("/a/new"));
  assert.deepEqual(follower.told, ["put /a/changed", "put /a/again", "put /a/new", "delete /a/gone"]);
  assert.deepEqual(follower.seen, await contents(inner, "/a/"));
  await follower.stop();
});

test("of a store that was replaced the new contents are told", { timeout: 30_000 }, async () => {
  await using old = openMemory();
  await using fresh = openMemory();
  for (const name of ["x", "gone", "same"]) await old.put(`/a/${name}`, "old");
  // In both stores "same" has revision 4, and it is not the same.
  for (const name of ["y", "x", "same"]) await fresh.put(`/a/${name}`, "new");
  await old.put("/a/x", "old");
  const store = breakable(old);
  const follower = startFollower(store);
  await follower.next();
  store.cut();
  await follower.untilState("disconnected");
  store.replace(fresh);
  store.mend();
  await follower.until(() => !follower.seen.has("/a/gone"));
  assert.deepEqual(follower.seen, await contents(fresh, "/a/"));
  await fresh.put("/a/z", "new");
  await follower.until(() => follower.seen.has("/a/z"));
  await follower.stop();
});

test("through random writes, cuts and compactions nothing untrue is told", { timeout: 60_000 }, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = createRandom(seed);
  await using inner = openMemory();
  const store = breakable(inner);
  const told: Change[] = [];
  const done: Change[] = [];
  const follower = startFollower(store, (change) => told.push(change));
  const caughtUp = follower.until(() => follower.seen.has("/a/end"));
  for (let step = 0; step < 2000; step++) {
    const key = `/a/${Math.floor(random() * 40)}`;
    const dice = random();
    if (dice < 0.02) store.cut();
    else if (dice < 0.06) store.mend();
    else if (dice < 0.07) await burst(inner);
    else done.push(...(await writeEither(inner, key, dice < 0.3 ? undefined : String(step))));
    if (dice > 0.95) await nextTurn();
  }
  store.mend();
  done.push(...(await writeEither(inner, "/a/end", "")));
  await caughtUp;
  assert.deepEqual(follower.seen, await contents(inner, "/a/"), `seed ${seed}`);
  assert.ok(told.length > 0);
  for (const change of told) {
    const last = done.findLast(
      (one) => keyOf(one) === keyOf(change) && revisionOf(one) <= revisionOf(change),
    );
    // A delete found by comparing listings has the listing's revision, later than its own.
    if (change.kind === "delete") assert.equal(last?.kind, "delete", `seed ${seed}`);
    else assert.deepEqual(change, last, `seed ${seed}`);
  }
  await follower.stop();
});

test(
  "an abort ends the stream quietly while it waits for a store that is away",
  { timeout: 30_000 },
  async () => {
    await using inner = openMemory();
    const store = breakable(inner);
    store.cut();
    const stop = new AbortController();
    const onState = (): void => {
      stop.abort();
    };
    assert.deepEqual(await Array.fromAsync(follow(store, "/a/", { signal: stop.signal, onState })), []);
  },
);

test("a closed store ends the stream with its error", { timeout: 30_000 }, async () => {
  const store = openMemory();
  await store[Symbol.asyncDispose]();
  const { signal } = new AbortController();
  await assert.rejects(Array.fromAsync(follow(store, "/a/", { signal })), { code: "closed" });
});

function openMemory(): Store {
  return openEmbeddedStore({ path: ":memory:", history: HISTORY });
}

async function burst(store: Store): Promise<void> {
  await Promise.all(Array.from({ length: HISTORY }, (_, n) => store.put("/filler", String(n))));
}

/** Puts the value or, without one, deletes the key; what that changed. */
async function writeEither(store: Store, key: string, value: string | undefined): Promise<readonly Change[]> {
  const result = await (value === undefined ? store.delete(key) : store.put(key, value));
  if (result.kind === "conflict") return [];
  const { revision } = result;
  return [
    value === undefined
      ? { kind: "delete", key, revision }
      : { kind: "put", entry: { key, value, revision } },
  ];
}

async function contents(store: Store, prefix: string): Promise<Map<string, string>> {
  const { entries } = await store.list(prefix);
  return new Map(entries.map(({ key, value }) => [key, value]));
}

interface Follower {
  /** What stands by all that was told. */
  readonly seen: Map<string, string>;
  /** The changes since the snapshot, as `put <key>` or `delete <key>`. */
  readonly told: string[];
  readonly waitsMs: number[];
  /** The next event that was not taken yet. */
  next(): Promise<FollowEvent>;
  until(holds: () => boolean): Promise<void>;
  untilState(kind: FollowState["kind"], times?: number): Promise<void>;
  /** Ends the stream, which must not fail, and gives the states it went through. */
  stop(): Promise<readonly FollowState[]>;
}

/** Follows `/a/` as the agent would, on a clock that counts waits and makes none. */
function startFollower(store: Store, hear: (change: Change) => void = () => undefined): Follower {
  const stop = new AbortController();
  const { signal } = stop;
  const waitsMs: number[] = [];
  const states: FollowState[] = [];
  const seen = new Map<string, string>();
  const told: string[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    elapsedMs: () => 0,
    async sleep(ms) {
      waitsMs.push(ms);
      now += ms;
      await nextTurn(undefined, { signal });
    },
  };
  const events = follow(store, "/a/", { signal, clock, onState: (state) => states.push(state) });
  let pending: Promise<IteratorResult<FollowEvent, unknown>> | undefined;
  const step = async (): Promise<FollowEvent> => {
    pending ??= events.next();
    const { value, done } = await pending;
    pending = undefined;
    if (done === true) throw new Error("The stream ended");
    take(value, seen, told, hear);
    return value;
  };
  return {
    seen,
    told,
    waitsMs,
    next: step,
    async until(holds) {
      while (!holds()) await step();
    },
    async untilState(kind, times = 1) {
      // Whatever happens to the stream happens while someone reads it.
      pending ??= events.next();
      while (states.filter((state) => state.kind === kind).length < times) await nextTurn();
    },
    async stop() {
      pending ??= events.next();
      stop.abort();
      assert.equal((await pending).done, true);
      return states;
    },
  };
}

function take(
  event: FollowEvent,
  seen: Map<string, string>,
  told: string[],
  hear: (change: Change) => void,
): void {
  if (event.kind === "snapshot") {
    for (const { key, value } of event.entries) seen.set(key, value);
    return;
  }
  for (const change of event.changes) {
    hear(change);
    if (change.kind === "put") seen.set(change.entry.key, change.entry.value);
    else seen.delete(change.key);
    told.push(change.kind === "put" ? `put ${change.entry.key}` : `delete ${change.key}`);
  }
}

interface BreakableStore extends Store {
  readonly listings: number;
  /** Ends the watches under way, and refuses everything until {@link mend}. */
  cut(): void;
  mend(): void;
  replace(store: Store): void;
}

/** A store behind a line that the test can cut. */
function breakable(store: Store): BreakableStore {
  let inner = store;
  let line = new AbortController();
  let listings = 0;
  const check = (): void => {
    if (line.signal.aborted)
      throw new DatastoreError("unavailable", "Cannot reach the store: the line is cut");
  };
  return {
    get listings() {
      return listings;
    },
    cut() {
      line.abort();
    },
    mend() {
      if (line.signal.aborted) line = new AbortController();
    },
    replace(store) {
      inner = store;
    },
    async get(key, options) {
      check();
      return await inner.get(key, options);
    },
    async list(prefix, options) {
      check();
      listings += 1;
      return await inner.list(prefix, options);
    },
    async put(key, value, options) {
      check();
      return await inner.put(key, value, options);
    },
    async delete(key, options) {
      check();
      return await inner.delete(key, options);
    },
    async *watch(prefix: string, { after, signal }: { after: Revision; signal: AbortSignal }) {
      check();
      const whole = line.signal;
      yield* inner.watch(prefix, { after, signal: AbortSignal.any([signal, whole]) });
      if (whole.aborted) throw new DatastoreError("unavailable", "Cannot watch: the line was cut");
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
