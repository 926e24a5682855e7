// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempDisposableSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type StoreUnderTest, describeStoreContract } from "./contract.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { createRandom } from "../system/random.ts";
import type { Entry, Store } from "./store.ts";

const HISTORY = 500;

describeStoreContract("the embedded store in a file", async () => {
  const directory = await mkdtempDisposable(join(tmpdir(), "margay-store-"));
  return embedded(join(directory.path, "store.db"), () => directory.remove());
});

describeStoreContract("the embedded store in memory", () => Promise.resolve(embedded(":memory:")), {
  durable: false,
});

test("writes of one turn share a transaction, each with its own condition", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const results = await Promise.all([
    store.put("/a", "first", { expect: "absent" }),
    store.put("/a", "second", { expect: "absent" }),
    store.put("/a", "third", { expect: 2 }),
    store.delete("/a", { expect: 3 }),
    store.delete("/a"),
    store.put("/a", "last"),
  ]);
  assert.deepEqual(results, [
    { kind: "written", revision: 2 },
    { kind: "conflict", current: { key: "/a", value: "first", revision: 2 } },
    { kind: "written", revision: 3 },
    { kind: "written", revision: 4 },
    { kind: "conflict", current: undefined },
    { kind: "written", revision: 5 },
  ]);
});

test("a write that is aborted before its turn comes is not done", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const stop = new AbortController();
  const aborted = store.put("/a", "1", { signal: stop.signal });
  const other = store.put("/b", "1", { expect: "absent" });
  stop.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  assert.deepEqual(await other, { kind: "written", revision: 2 });
  assert.equal(await store.get("/a"), undefined);
});

test("closing does what was accepted", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "margay-store-"));
  const path = join(directory.path, "store.db");
  const store = openEmbeddedStore({ path });
  const written = store.put("/a", "1");
  await store[Symbol.asyncDispose]();
  assert.equal((await written).kind, "written");
  await using again = openEmbeddedStore({ path });
  assert.equal((await again.get("/a"))?.value, "1");
});

test("exactly the last changes are kept", async () => {
  await using store = openEmbeddedStore({ path: ":memory:", history: 10 });
  for (let n = 0; n < 25; n++) await store.put("/a", String(n));
  const { revision } = await store.list("");
  const next = async (after: number): Promise<number | undefined> => {
    for await (const batch of store.watch("/", { after, signal: AbortSignal.timeout(10_000) }))
      return batch.length;
    return undefined;
  };
  assert.equal(await next(revision - 10), 10);
  await assert.rejects(next(revision - 11), { code: "compacted", message: /known are 17 to 26/ });
});

test("a history of no changes is invalid", () => {
  for (const history of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => openEmbeddedStore({ path: ":memory:", history }), { code: "invalid" });
  }
});

test("any sequence of operations does what it does to a plain map", { timeout: 60_000 }, async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = createRandom(seed);
  using directory = mkdtempDisposableSync(join(tmpdir(), "margay-store-"));
  const path = join(directory.path, "store.db");
  let store = openEmbeddedStore({ path });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => store[Symbol.asyncDispose]());
  const model = new Map<string, Entry>();
  let { revision } = await store.list("");
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  for (let step = 0; step < 1500; step++) {
    const key = `/${pick(["a", "a/", "b", "é", "\u{10000}"]) ?? ""}${pick(["", "/x", "0"]) ?? ""}`;
    const current = model.get(key);
    const expect = pick([undefined, undefined, "absent", current?.revision, revision] as const);
    const options = expect === undefined ? {} : { expect };
    const removes = random() < 0.3;
    const result = await (removes ? store.delete(key, options) : store.put(key, String(step), options));
    const holds = (expect ?? current?.revision ?? "absent") === (current?.revision ?? "absent");
    if (holds && !(removes && current === undefined)) {
      revision += 1;
      assert.deepEqual(result, { kind: "written", revision }, `seed ${seed} step ${step}`);
      if (removes) model.delete(key);
      else model.set(key, { key, value: String(step), revision });
    } else {
      assert.deepEqual(result, { kind: "conflict", current }, `seed ${seed} step ${step}`);
    }
    if (random() < 0.01) {
      await store[Symbol.asyncDispose]();
      store = openEmbeddedStore({ path });
    }
    if (random() < 0.05) {
      const prefix = pick(["", "/", "/a", "/a/", "/é"]) ?? "";
      const entries = Array.from(model.values())
        .filter((entry) => entry.key.startsWith(prefix))
        .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
      assert.deepEqual(await store.list(prefix), { entries, revision }, `seed ${seed} step ${step}`);
    }
  }
});

function embedded(path: string, remove = (): Promise<void> => Promise.resolve()): StoreUnderTest {
  let store = openEmbeddedStore({ path, history: HISTORY });
  return {
    store,
    prefix: "/contract/",
    compact: () => fillHistory(store, HISTORY),
    async reopen() {
      await store[Symbol.asyncDispose]();
      store = openEmbeddedStore({ path, history: HISTORY });
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await remove();
    },
  };
}

/** Writes so much elsewhere that everything before is dropped. */
async function fillHistory(store: Store, history: number): Promise<void> {
  await Promise.all(Array.from({ length: history }, (_, n) => store.put("/filler", String(n))));
}
