// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { Cell, type Codec, type Edit } from "./cell.ts";
import { breakingStore, countingStore } from "./store-fakes.ts";

const NUMBERS: Codec<number> = {
  parse: (text) =>
    /^[0-9]+$/.test(text)
      ? { kind: "ok", value: Number(text) }
      : { kind: "invalid", issues: [{ code: "wrong-type", path: "", message: "no number" }] },
  render: String,
};
const increment: Edit<number, number> = (value = 0) => ({ value: value + 1, result: value + 1 });
const look: Edit<number, number | undefined> = (value) => ({ value, result: value });

function makeCell(store: Store): Cell<number> {
  return new Cell(store, "n", NUMBERS);
}

test("edits made at once by several cells all count", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cells = [makeCell(store), makeCell(store), makeCell(store)];
  const edits = Array.from({ length: 10 }, () => cells.map((cell) => cell.update(increment)));
  const results = await Promise.all(edits.flat());
  assert.deepEqual(
    results.toSorted((a, b) => a - b),
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  assert.equal((await store.get("n"))?.value, "30");
});

test("edits that wait for a write are made by the next one together", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const { store: counted, calls } = countingStore(store);
  const cell = makeCell(counted);
  await Promise.all(Array.from({ length: 50 }, () => cell.update(increment)));
  assert.equal((await store.get("n"))?.value, "50");
  assert.deepEqual(calls, { get: 1, list: 0, write: 2 });
});

test("a right guess that the key is absent saves the read, a wrong one does no harm", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const { store: counted, calls } = countingStore(store);
  for (const expected of [1, 2]) {
    const cell = makeCell(counted);
    cell.expectAbsent();
    assert.equal(await cell.update(increment), expected);
  }
  assert.deepEqual(calls, { get: 0, list: 0, write: 3 });
});

test("an answer that needs no write is checked against the store", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(store);
  await cell.update(increment);
  await store.put("n", "7");
  assert.equal(cell.seen, 1);
  assert.equal(await cell.update(look), 7);
});

test("an edit to nothing deletes the key, and only what it saw", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(store);
  await cell.update(increment);
  await store.put("n", "2");
  const kept = await cell.update((value) =>
    value === 1 ? { value: undefined, result: "gone" } : { value, result: "kept" },
  );
  assert.equal(kept, "kept");
  await cell.update(() => ({ value: undefined, result: undefined }));
  assert.equal(await store.get("n"), undefined);
  assert.equal(await cell.update(increment), 1);
});

test("an edit that throws fails alone", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(store);
  const failing = cell.update(() => {
    throw new Error("no");
  });
  const others = Promise.all([cell.update(increment), cell.update(increment)]);
  await assert.rejects(failing, /^Error: no$/);
  assert.deepEqual(await others, [1, 2]);
});

test("after a write without an answer the store is asked what became of it", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(breakingStore(store, 0, "unanswered"));
  await assert.rejects(cell.update(increment), { name: "DatastoreError", code: "unavailable" });
  assert.equal((await store.get("n"))?.value, "1");
  assert.equal(cell.seen, undefined);
});

test("a value that cannot be read is refused with its key, and left as it is", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  await store.put("n", "x");
  await assert.rejects(makeCell(store).update(increment), {
    code: "corrupt",
    message: 'Cannot read "n": no number',
  });
  assert.equal((await store.get("n"))?.value, "x");
});

test("a listing that is older than what is known changes nothing", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(store);
  await cell.update(increment);
  const old = (await store.get("n")) ?? assert.fail();
  await cell.update(increment);
  assert.equal(cell.observe(old), 1);
  assert.equal(cell.seen, 2);
  await store.put("n", "9");
  cell.observe((await store.get("n")) ?? assert.fail());
  assert.equal(cell.seen, 9);
});

test("an edit whose caller left before its turn is not made", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cell = makeCell(store);
  const controller = new AbortController();
  const first = cell.update(increment);
  const second = cell.update(increment, controller.signal);
  controller.abort(new Error("left"));
  await assert.rejects(second, /^Error: left$/);
  assert.equal(await first, 1);
  assert.equal(await cell.update(look), 1);
});
