// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "../system/clock.ts";
import { describeStoreContract } from "./contract.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { type StoreMeter, measureStore } from "./measured-store.ts";
import { DatastoreError, type Store } from "./store.ts";

const SILENT: StoreMeter = { noteRequest: () => undefined, noteInterruption: () => undefined };

describeStoreContract(
  "a measured store",
  () => {
    const embedded = openEmbeddedStore({ path: ":memory:", history: 500 });
    const store = measureStore(embedded, { clock: createFakeClock(), meter: SILENT });
    return Promise.resolve({
      store,
      prefix: "/test/",
      compact: async () => {
        for (let write = 0; write <= 500; write++) await embedded.put("/elsewhere", String(write));
      },
      reopen: () => Promise.reject(new Error("it is gone with the memory")),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    });
  },
  { durable: false },
);

/** A store that takes 20 ms for each request, and what it told. */
function measured(inner: Partial<Store>): { readonly store: Store; readonly told: unknown[] } {
  const clock = createFakeClock();
  const told: unknown[] = [];
  const meter: StoreMeter = {
    noteRequest: (operation, { seconds, error }) => told.push([operation, seconds, error]),
    noteInterruption: (error) => told.push(["watch", error]),
  };
  const slow = <T>(answer: () => Promise<T>) => {
    clock.advance(20);
    return answer();
  };
  const store = {
    get: () => slow(() => Promise.resolve(undefined)),
    list: () => slow(() => Promise.reject(new DatastoreError("unavailable", "nobody answers"))),
    put: () => slow(() => Promise.resolve({ kind: "conflict", current: undefined } as const)),
    delete: () => slow(() => Promise.reject(new TypeError("a mistake"))),
    ...inner,
  } as unknown as Store;
  return { store: measureStore(store, { clock, meter }), told };
}

test("requests are told of as they end", async () => {
  const { store, told } = measured({});
  await store.get("/a");
  await store.put("/a", "1", { expect: "absent" });
  await assert.rejects(store.list("/"), { code: "unavailable" });
  await assert.rejects(store.delete("/a"), TypeError);
  assert.deepEqual(told, [
    ["get", 0.02, undefined],
    ["put", 0.02, undefined],
    ["list", 0.02, "unavailable"],
    ["delete", 0.02, "other"],
  ]);
});

test("a request that was given up is nobody's failure", async () => {
  const { store, told } = measured({});
  await assert.rejects(store.list("/", { signal: AbortSignal.abort() }));
  assert.deepEqual(told, []);
});

for (const [what, end, expected] of [
  ["ends by itself", () => undefined, [["watch", "ended"]]],
  [
    "breaks",
    () => {
      throw new DatastoreError("compacted", "gone");
    },
    [["watch", "compacted"]],
  ],
] as const)
  test(`a watch that ${what} is told of`, async () => {
    const { store, told } = measured({
      // eslint-disable-next-line @typescript-eslint/require-await -- a watch is an asynchronous generator
      async *watch() {
        yield [];
        end();
      },
    });
    const { signal } = new AbortController();
    const read = async (): Promise<void> => {
      await Array.fromAsync(store.watch("/", { after: 1, signal }));
    };
    await read().catch(() => undefined);
    assert.deepEqual(told, expected);
  });

test("a watch that is ended by who reads it is not told of", async () => {
  const { store, told } = measured({
    // eslint-disable-next-line @typescript-eslint/require-await -- a watch is an asynchronous generator
    async *watch() {
      yield [];
      yield [];
    },
  });
  const { signal } = new AbortController();
  const first = await store.watch("/", { after: 1, signal })[Symbol.asyncIterator]().next();
  assert.deepEqual(first, { done: false, value: [] });
  for await (const batch of store.watch("/", { after: 1, signal })) if (batch.length === 0) break;
  assert.deepEqual(told, []);
});
