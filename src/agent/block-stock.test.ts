// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { createAllocator } from "../ipam/allocator.ts";
import { makePool, makeRequest } from "../ipam/allocator-fixtures.ts";
import type { Limits } from "../ipam/assignment.ts";
import { countingStore } from "../ipam/store-fakes.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { parseNodeName } from "../model/name.ts";
import { poolsOfFamily } from "../model/pools.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { createBlockStock } from "./block-stock.ts";

/** Eight blocks of four addresses. */
const POOL = makePool("pool", "10.1.0.0/27", 30);
const LIMITS: Limits = { strictAffinity: false, maxBlocks: 0 };

function createTrial(store: Store, limits: Limits = LIMITS) {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  const { store: counted, calls } = countingStore(store);
  const allocator = createAllocator(
    { store: counted, clock, log: silentLog },
    { nodeName: parseNodeName("host1") },
  );
  let pools: readonly IPPool[] = [POOL];
  const stock = createBlockStock(
    { allocator, clock, log: silentLog },
    { pools: (family) => poolsOfFamily(pools, family), limits: () => limits, idleMs: 60_000 },
  );
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  };
  return {
    stock,
    calls,
    setPools: (next: readonly IPPool[]) => (pools = next),
    blocks: async () => (await allocator.ownBlocks(4)).length,
    /** Has something happen to addresses, and the stock hear of it. */
    async update() {
      stock.update();
      await settle();
    },
    async advance(ms: number) {
      clock.advance(ms);
      await settle();
    },
    async take(...names: readonly string[]) {
      for (const name of names) await allocator.assign(makeRequest(name, [POOL]));
      await this.update();
    },
    async release(...names: readonly string[]) {
      for (const name of names) await allocator.releaseByHandle(`net.${name}`);
      await this.update();
    },
  };
}

describe("the stock of blocks", () => {
  it("has a block before the first address is asked for, and another before the last one is full", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = createTrial(store);
    await using stock = trial.stock;
    await trial.update();
    assert.equal(await trial.blocks(), 1);
    await trial.take("c1", "c2", "c3");
    assert.equal(await trial.blocks(), 1);
    await trial.take("c4");
    assert.equal(await trial.blocks(), 2);
    assert.ok(stock);
  });

  it("gives a block back that is not needed for a minute, and keeps the last", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = createTrial(store);
    await using stock = trial.stock;
    await trial.take("c1", "c2", "c3", "c4");
    await trial.release("c1", "c2", "c3", "c4");
    await trial.advance(59_999);
    assert.equal(await trial.blocks(), 2);
    await trial.advance(1);
    assert.equal(await trial.blocks(), 1);
    await trial.advance(3_600_000);
    assert.equal(await trial.blocks(), 1);
    assert.ok(stock);
  });

  it("keeps a block that comes into use within the minute", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = createTrial(store);
    await using stock = trial.stock;
    await trial.take("c1", "c2", "c3", "c4");
    await trial.release("c1", "c2", "c3", "c4");
    await trial.advance(30_000);
    await trial.take("c5", "c6", "c7", "c8", "c9");
    await trial.advance(60_000);
    assert.equal(await trial.blocks(), 2);
    assert.ok(stock);
  });

  it("drains a pool that the node takes no addresses from any more, the last block too", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = createTrial(store);
    await using stock = trial.stock;
    await trial.take("c1");
    trial.setPools([]);
    await trial.update();
    await trial.advance(60_000);
    assert.equal(await trial.blocks(), 1);
    await trial.release("c1");
    await trial.advance(60_000);
    assert.equal(await trial.blocks(), 0);
    assert.ok(stock);
  });

  it("does not read the cluster's blocks again and again where it may have no more", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = createTrial(store, { strictAffinity: true, maxBlocks: 1 });
    await using stock = trial.stock;
    await trial.take("c1", "c2", "c3", "c4");
    Object.assign(trial.calls, { get: 0, list: 0, write: 0 });
    for (let turn = 0; turn < 10; turn++) await trial.update();
    assert.deepEqual(trial.calls, { get: 0, list: 0, write: 0 });
    assert.ok(stock);
  });
});
