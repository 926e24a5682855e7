// SPDX-License-Identifier: Apache-2.0
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type StoreUnderTest, describeStoreContract } from "./contract.ts";
import { openEmbeddedStore } from "./embedded.ts";
import type { Store } from "./store.ts";

const HISTORY = 500;

describeStoreContract("the embedded store in a file", async () => {
  const directory = await mkdtempDisposable(join(tmpdir(), "margay-store-"));
  return embedded(join(directory.path, "store.db"), () => directory.remove());
});

describeStoreContract("the embedded store in memory", () => Promise.resolve(embedded(":memory:")), {
  durable: false,
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
