// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { revisionOf } from "./change.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "./keys.ts";
import {
  type Change,
  DatastoreError,
  type DatastoreErrorCode,
  type Entry,
  type Revision,
  type Store,
} from "./store.ts";

/** A store to try, and what only its kind can do to it. Disposing it closes and removes everything. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** The test writes under this alone; others may write elsewhere meanwhile. Ends in a slash. */
  readonly prefix: string;
  /** Forgets the history up to about now, never what is stored. */
  readonly compact: () => Promise<void>;
  /** Closes the store and opens what it kept. */
  readonly reopen: () => Promise<Store>;
}

export interface StoreContractOptions {
  /** False where closing loses everything. @default true */
  readonly durable?: boolean;
}

/** What every {@link Store} promises, as tests: each implementation runs all of them. */
export function describeStoreContract(
  name: string,
  create: () => Promise<StoreUnderTest>,
  { durable = true }: StoreContractOptions = {},
): void {
  const trial = (title: string, body: (subject: StoreUnderTest) => Promise<void>): void => {
    it(title, { timeout: 60_000 }, async () => {
      await using subject = await create();
      await body(subject);
    });
  };
  describe(`${name} keeps the contract of a store`, () => {
    describeEntries(trial);
    describeConditions(trial);
    describeListing(trial);
    describeWatch(trial);
    describeHistory(trial);
    describeLimits(trial);
    describeEnd(trial);
    if (durable) trial("reopening keeps entries, revisions and history", keepsAll);
  });
}

type Trial = (title: string, body: (subject: StoreUnderTest) => Promise<void>) => void;

function describeEntries(trial: Trial): void {
  trial("a key that was never written is absent", async ({ store, prefix }) => {
    assert.equal(await store.get(`${prefix}a`), undefined);
  });

  trial("what was put is got, with the revision of its last write", async ({ store, prefix }) => {
    const first = await write(store, `${prefix}a`, "1");
    const second = await write(store, `${prefix}a`, "2");
    assert.ok(second > first);
    assert.deepEqual(await store.get(`${prefix}a`), { key: `${prefix}a`, value: "2", revision: second });
  });

  trial("a deleted key is absent, and can be written again", async ({ store, prefix }) => {
    const put = await write(store, `${prefix}a`, "1");
    const deleted = await remove(store, `${prefix}a`);
    assert.ok(deleted > put);
    assert.equal(await store.get(`${prefix}a`), undefined);
    assert.ok((await write(store, `${prefix}a`, "2")) > deleted);
  });

  trial("values come back as they were, whatever they hold", async ({ store, prefix }) => {
    for (const value of ["", '{"a":"b"}\n', "\0\r\n\t\\\"'", "\u2028\u2029\ufeff", "é\uffff\u{10ffff}"]) {
      await write(store, `${prefix}a`, value);
      assert.equal((await store.get(`${prefix}a`))?.value, value);
    }
  });
}

function describeConditions(trial: Trial): void {
  trial("a put that expects absence writes once", async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const written = await store.put(key, "1", { expect: "absent" });
    assert.equal(written.kind, "written");
    const current: Entry = { key, value: "1", revision: written.revision };
    assert.deepEqual(await store.put(key, "2", { expect: "absent" }), { kind: "conflict", current });
    assert.deepEqual(await store.get(key), current);
  });

  trial("a put that expects a revision writes only over that one", async ({ store, prefix }) => {
    const key = `${prefix}a`;
    const first = await write(store, key, "1");
    const second = await store.put(key, "2", { expect: first });
    assert.equal(second.kind, "written");
    const current: Entry = { key, value: "2", revision: second.revision };
    assert.deepEqual(await store.put(key, "3", { expect: first }), { kind: "conflict", current });
    assert.deepEqual(await store.put(`${prefix}b`, "3", { expect: first }), {
      kind: "conflict",
      current: undefined,
    });
    assert.equal(await store.get(`${prefix}b`), undefined);
  });

  trial(
    "a delete follows its condition, and deleting what is absent is a conflict",
    async ({ store, prefix }) => {
      const key = `${prefix}a`;
      const gone = { kind: "conflict", current: undefined };
      assert.deepEqual(await store.delete(key), gone);
      assert.deepEqual(await store.delete(key, { expect: "absent" }), gone);
      const first = await write(store, key, "1");
      assert.deepEqual(await store.delete(`${prefix}b`, { expect: first }), gone);
      const second = await write(store, key, "2");
      const current: Entry = { key, value: "2", revision: second };
      assert.deepEqual(await store.delete(key, { expect: first }), { kind: "conflict", current });
      assert.deepEqual(await store.delete(key, { expect: "absent" }), { kind: "conflict", current });
      assert.equal((await store.delete(key, { expect: second })).kind, "written");
      assert.deepEqual(await store.delete(key, { expect: second }), gone);
    },
  );

  trial("a conflict writes nothing that a watch could see", async ({ store, prefix }) => {
    const first = await write(store, `${prefix}a`, "1");
    await store.put(`${prefix}a`, "2", { expect: "absent" });
    await store.delete(`${prefix}b`);
    const last = await write(store, `${prefix}c`, "3");
    const seen = await collect(store, prefix, first, 1);
    assert.deepEqual(seen.map(revisionOf), [last]);
  });

  trial("of counters that race by compare-and-swap no step is lost", async ({ store, prefix }) => {
    const key = `${prefix}counter`;
    await write(store, key, "0");
    const increment = async (): Promise<void> => {
      let current = await store.get(key);
      while (current !== undefined) {
        const value = String(Number(current.value) + 1);
        const result = await store.put(key, value, { expect: current.revision });
        if (result.kind === "written") return;
        current = result.current;
      }
    };
    await Promise.all(Array.from({ length: 12 }, increment));
    assert.equal((await store.get(key))?.value, "12");
  });
}

function describeListing(trial: Trial): void {
  trial("a listing is sorted by bytes, not by UTF-16 units", async ({ store, prefix }) => {
    // UTF-16 would put U+10000 (d800 dc00) before U+FFFF.
    const names = [
      "a",
      "a/",
      "a/b",
      "a0",
      "Z",
      "z",
      "é",
      "\ud7ff",
      "\ue000",
      "\uffff",
      "\u{10000}",
      "\u{10ffff}",
    ];
    const keys = names.map((name) => `${prefix}${name}`);
    await Promise.all(keys.map((key) => write(store, key, key)));
    const { entries } = await store.list(prefix);
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(keysOf(entries), sorted);
    assert.deepEqual(
      entries.map(({ value }) => value),
      sorted,
    );
  });

  trial("a prefix takes what starts with it and nothing beside", async ({ store, prefix }) => {
    const names = ["a", "a/", "a/b", "a0", "\ud7ff1", "\ue000", "\u{10ffff}", "\u{10ffff}1"];
    for (const name of names) await write(store, `${prefix}${name}`, "");
    const listed = async (part: string): Promise<readonly string[]> =>
      keysOf((await store.list(`${prefix}${part}`)).entries).map((key) => key.slice(prefix.length));
    assert.deepEqual(await listed("a/"), ["a/", "a/b"]);
    assert.deepEqual(await listed("a"), ["a", "a/", "a/b", "a0"]);
    assert.deepEqual(await listed("a/c"), []);
    assert.deepEqual(await listed("\ud7ff"), ["\ud7ff1"]);
    assert.deepEqual(await listed("\u{10ffff}"), ["\u{10ffff}", "\u{10ffff}1"]);
  });

  trial("the empty prefix lists every key", async ({ store, prefix }) => {
    await write(store, `${prefix}a`, "");
    await write(store, `${prefix}\u{10ffff}`, "");
    const own = keysOf((await store.list("")).entries).filter((key) => key.startsWith(prefix));
    assert.deepEqual(own, [`${prefix}a`, `${prefix}\u{10ffff}`]);
  });

  trial("an empty listing has a revision to watch after", async ({ store, prefix }) => {
    const { entries, revision } = await store.list(prefix);
    assert.deepEqual(entries, []);
    const written = await write(store, `${prefix}a`, "1");
    assert.ok(written > revision);
    assert.deepEqual((await collect(store, prefix, revision, 1)).map(revisionOf), [written]);
  });
}

function describeWatch(trial: Trial): void {
  trial("a watch sees puts and deletes under its prefix, and nothing else", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    await write(store, `${prefix}a0`, "beside");
    const put = await write(store, `${prefix}a/1`, "one");
    await write(store, `${prefix}a`, "above");
    const deleted = await remove(store, `${prefix}a/1`);
    assert.deepEqual(await collect(store, `${prefix}a/`, revision, 2), [
      { kind: "put", entry: { key: `${prefix}a/1`, value: "one", revision: put } },
      { kind: "delete", key: `${prefix}a/1`, revision: deleted },
    ]);
  });

  trial("a watch that waits is woken by a write", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    const seen = collect(store, prefix, revision, 3);
    const written: Revision[] = [];
    for (const name of ["a", "b", "c"]) written.push(await write(store, `${prefix}${name}`, name));
    assert.deepEqual((await seen).map(revisionOf), written);
  });

  trial("a watch resumes after any revision", async ({ store, prefix }) => {
    const written: Revision[] = [(await store.list(prefix)).revision];
    for (let step = 0; step < 12; step++) {
      const key = `${prefix}${step % 3}`;
      written.push(step % 4 === 3 ? await remove(store, key) : await write(store, key, String(step)));
    }
    for (const [index, after] of written.slice(0, -1).entries()) {
      const rest = written.slice(index + 1);
      assert.deepEqual((await collect(store, prefix, after, rest.length)).map(revisionOf), rest);
    }
  });

  trial("watchers lose and repeat nothing while many write", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    const [writers, each] = [8, 25];
    const late = Promise.withResolvers<Revision>();
    const early = [0, 1].map(() => collect(store, prefix, revision, writers * each));
    const own = collect(store, `${prefix}3/`, revision, each);
    const written = await Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        const revisions: Revision[] = [];
        for (let step = 0; step < each; step++) {
          revisions.push(await write(store, `${prefix}${writer}/${step % 10}`, String(step)));
          if (writer === 0 && step === 10) late.resolve(revisions.at(-1) ?? 0);
        }
        return revisions;
      }),
    );
    const all = written.flat().sort(ascending);
    assert.equal(new Set(all).size, writers * each);
    for (const seen of early) assert.deepEqual((await seen).map(revisionOf), all);
    assert.deepEqual((await own).map(revisionOf), written[3]);
    const after = await late.promise;
    const rest = all.filter((one) => one > after);
    assert.deepEqual((await collect(store, prefix, after, rest.length)).map(revisionOf), rest);
  });

  trial(
    "a slow watcher gets everything, in batches that never split a revision",
    async ({ store, prefix }) => {
      const { revision } = await store.list(prefix);
      const written = [await write(store, `${prefix}first`, "")];
      const batches: (readonly Change[])[] = [];
      const stop = new AbortController();
      for await (const batch of store.watch(prefix, { after: revision, signal: stop.signal })) {
        batches.push(batch);
        // More than any batch or socket buffer holds.
        if (batches.length === 1) written.push(...(await writeMany(store, prefix, 400, "x".repeat(10_000))));
        if (batches.flat().length >= written.length) stop.abort();
      }
      assert.deepEqual(batches.flat().map(revisionOf), written.sort(ascending));
      const apart = batches.flatMap((batch) => [...new Set(batch.map(revisionOf))]);
      assert.equal(new Set(apart).size, apart.length);
      assert.ok(batches.every((batch) => batch.length > 0));
    },
  );

  trial("many watchers each see their own part", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    const watchers = Array.from({ length: 60 }, (_, n) => collect(store, `${prefix}${n}/`, revision, 2));
    for (const round of ["1", "2"]) {
      await Promise.all(watchers.map((_, n) => write(store, `${prefix}${n}/key`, round)));
    }
    for (const [n, changes] of (await Promise.all(watchers)).entries()) {
      assert.deepEqual(
        changes.map((change) => change.kind === "put" && [change.entry.key, change.entry.value]),
        [
          [`${prefix}${n}/key`, "1"],
          [`${prefix}${n}/key`, "2"],
        ],
      );
    }
  });

  trial(
    "an abort ends a watch quietly: before it starts, while it waits, between batches",
    async (subject) => {
      const { store, prefix } = subject;
      const { revision } = await store.list(prefix);
      assert.deepEqual(await drain(store, prefix, revision, AbortSignal.abort()), []);

      const waiting = new AbortController();
      const waited = drain(store, `${prefix}a`, revision, waiting.signal);
      await write(store, `${prefix}b`, "beside");
      waiting.abort(new Error("reason that must not surface"));
      assert.deepEqual(await waited, []);

      await write(store, `${prefix}a`, "1");
      const between = new AbortController();
      for await (const batch of store.watch(`${prefix}a`, { after: revision, signal: between.signal })) {
        assert.equal(batch.length, 1);
        between.abort();
      }
    },
  );

  trial("a watch that its reader leaves early holds nobody up", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    const last = await write(store, `${prefix}a`, "1");
    const { signal } = new AbortController();
    for await (const batch of store.watch(prefix, { after: revision, signal })) {
      assert.equal(batch.length, 1);
      break;
    }
    assert.ok((await write(store, `${prefix}a`, "2")) > last);
  });
}

function describeHistory(trial: Trial): void {
  trial("a watch after a compacted revision says so, one after the present goes on", async (subject) => {
    const { store, prefix, compact } = subject;
    const { revision: start } = await store.list(prefix);
    await write(store, `${prefix}a`, "1");
    await write(store, `${prefix}a`, "2");
    await compact();
    await rejectsWith("compacted", collect(store, prefix, start, 1));
    const { entries, revision } = await store.list(prefix);
    assert.deepEqual(keysOf(entries), [`${prefix}a`]);
    const next = await write(store, `${prefix}b`, "3");
    assert.deepEqual((await collect(store, prefix, revision, 1)).map(revisionOf), [next]);
  });

  trial("a watch that waited through a compaction goes on", async ({ store, prefix, compact }) => {
    const { revision } = await store.list(prefix);
    const seen = collect(store, prefix, revision, 2);
    const first = await write(store, `${prefix}a`, "1");
    const caughtUp = collect(store, prefix, revision, 1);
    await caughtUp;
    await compact();
    const second = await write(store, `${prefix}b`, "2");
    assert.deepEqual((await seen).map(revisionOf), [first, second]);
  });

  trial("a watch after a revision the store never came to is refused as compacted", async (subject) => {
    const { revision } = await subject.store.list(subject.prefix);
    await rejectsWith("compacted", collect(subject.store, subject.prefix, revision + 1_000_000, 1));
  });
}

function describeLimits(trial: Trial): void {
  trial("the longest key and the longest value fit, longer ones are invalid", async ({ store, prefix }) => {
    const key = prefix.padEnd(MAX_KEY_BYTES, "k");
    await write(store, key, "v".repeat(MAX_VALUE_BYTES));
    assert.equal((await store.get(key))?.value.length, MAX_VALUE_BYTES);
    await rejectsWith("invalid", store.put(`${key}k`, ""));
    await rejectsWith("invalid", store.get(`${key}k`));
    await rejectsWith("invalid", store.put(`${prefix}a`, "é".repeat(MAX_VALUE_BYTES / 2 + 1)));
  });

  trial("empty keys, halves of characters and revision zero are invalid", async ({ store, prefix }) => {
    await rejectsWith("invalid", store.put("", "1"));
    await rejectsWith("invalid", store.get(""));
    await rejectsWith("invalid", store.delete(""));
    await rejectsWith("invalid", store.put(`${prefix}\ud800`, "1"));
    await rejectsWith("invalid", store.put(`${prefix}a`, "\udfff"));
    await rejectsWith("invalid", store.list("\ud800"));
    await rejectsWith("invalid", collect(store, prefix, 0, 1));
  });
}

function describeEnd(trial: Trial): void {
  trial("an aborted signal ends a call with its reason, and writes nothing", async ({ store, prefix }) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(store.put(`${prefix}a`, "1", { signal }), reason);
    await assert.rejects(store.delete(`${prefix}a`, { signal }), reason);
    await assert.rejects(store.get(`${prefix}a`, { signal }), reason);
    await assert.rejects(store.list(prefix, { signal }), reason);
    assert.equal(await store.get(`${prefix}a`), undefined);
  });

  trial("a closed handle says so, to those who wait too", async ({ store, prefix }) => {
    const { revision } = await store.list(prefix);
    const waiting = rejectsWith("closed", collect(store, prefix, revision, 1));
    await store.get(`${prefix}a`);
    await store[Symbol.asyncDispose]();
    await waiting;
    await rejectsWith("closed", store.get(`${prefix}a`));
    await rejectsWith("closed", store.list(prefix));
    await rejectsWith("closed", store.put(`${prefix}a`, "1"));
    await rejectsWith("closed", store.delete(`${prefix}a`));
    await rejectsWith("closed", collect(store, prefix, revision, 1));
    await store[Symbol.asyncDispose]();
  });
}

async function keepsAll({ store, prefix, reopen }: StoreUnderTest): Promise<void> {
  const { revision } = await store.list(prefix);
  const written = [await write(store, `${prefix}a`, "1"), await write(store, `${prefix}b`, "2")];
  written.push(await remove(store, `${prefix}a`));
  const before = await store.list(prefix);
  const after = await reopen();
  assert.deepEqual(await after.list(prefix), before);
  written.push(await write(after, `${prefix}a`, "3"));
  assert.ok((written.at(-1) ?? 0) > before.revision);
  assert.deepEqual((await collect(after, prefix, revision, 4)).map(revisionOf), written);
}

async function write(store: Store, key: string, value: string): Promise<Revision> {
  const result = await store.put(key, value);
  assert.equal(result.kind, "written");
  return result.revision;
}

async function writeMany(store: Store, prefix: string, count: number, value: string): Promise<Revision[]> {
  return await Promise.all(Array.from({ length: count }, (_, n) => write(store, `${prefix}${n}`, value)));
}

async function remove(store: Store, key: string): Promise<Revision> {
  const result = await store.delete(key);
  assert.equal(result.kind, "written");
  return result.revision;
}

/** The first changes after a revision, at least `count` of them. */
async function collect(
  store: Store,
  prefix: string,
  after: Revision,
  count: number,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  const stop = new AbortController();
  for await (const batch of store.watch(prefix, { after, signal: stop.signal })) {
    changes.push(...batch);
    if (changes.length >= count) stop.abort();
  }
  return changes;
}

async function drain(store: Store, prefix: string, after: Revision, signal: AbortSignal): Promise<unknown[]> {
  return (await Array.fromAsync(store.watch(prefix, { after, signal }))).flat();
}

async function rejectsWith(code: DatastoreErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof DatastoreError);
    assert.equal(error.code, code, error.message);
    return true;
  });
}

function keysOf(entries: readonly Entry[]): readonly string[] {
  return entries.map(({ key }) => key);
}

function ascending(a: number, b: number): number {
  return a - b;
}
