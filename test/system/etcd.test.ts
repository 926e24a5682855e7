// SPDX-License-Identifier: Apache-2.0
import { after, before, describe } from "node:test";
import { type StoreUnderTest, describeStoreContract } from "../../src/datastore/contract.ts";
import { EtcdConnection } from "../../src/datastore/etcd/connection.ts";
import { openEtcdStore } from "../../src/datastore/etcd/etcd-store.ts";
import { METHODS } from "../../src/datastore/etcd/methods.ts";
import { type EtcdServer, startEtcd } from "./etcd-server.ts";

describe("a store in a real etcd", () => {
  let server: EtcdServer;
  let trials = 0;
  before(async () => {
    server = await startEtcd();
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  describeStoreContract("the store in etcd", () => Promise.resolve(underTest()));

  function underTest(): StoreUnderTest {
    const { endpoints } = server;
    const stores = [openEtcdStore({ endpoints })];
    const [store] = stores;
    if (store === undefined) throw new RangeError("no store");
    return {
      store,
      prefix: `/contract/${trials++}/`,
      async compact() {
        await using etcd = new EtcdConnection({ endpoints });
        const action = "compact";
        const { header } = await etcd.call(METHODS.range, { key: Buffer.from("/") }, { action });
        await etcd.call(METHODS.compact, { revision: header.revision }, { action });
      },
      async reopen() {
        await store[Symbol.asyncDispose]();
        const next = openEtcdStore({ endpoints });
        stores.push(next);
        return next;
      },
      async [Symbol.asyncDispose]() {
        for (const one of stores) await one[Symbol.asyncDispose]();
      },
    };
  }
});
