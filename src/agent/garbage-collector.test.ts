// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import { DatastoreError, type Store } from "../datastore/store.ts";
import type { Fact, NodeFacts } from "../desired/facts.ts";
import { affinityKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { type FakeClock, createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { createGarbageCollector } from "./garbage-collector.ts";

const BLOCK = parseCidr("10.1.0.0/26");
const GONE = parseNodeName("host9");
const GRACE_MS = 60_000;

function node(name: string, isThere = true): Fact {
  const facts: NodeFacts = {
    address: parseIpv4("192.168.0.1"),
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
  };
  return { kind: "node", name, value: isThere ? facts : undefined };
}

const claim: Fact = { kind: "affinity", node: GONE, cidr: BLOCK, value: true };

interface Trial extends AsyncDisposable {
  readonly store: Store;
  readonly clock: FakeClock;
  readonly note: (facts: readonly Fact[]) => void;
  /** Moves the clock, and lets all be done that was begun. */
  readonly advance: (ms: number) => Promise<void>;
  /** Whether the claim of the node that is gone stands still, once all that was begun is done. */
  readonly stands: () => Promise<boolean>;
}

/** With a store that cannot be listed so many times first. */
async function createTrial(self: string, { failures = 0 } = {}): Promise<Trial> {
  const store = openEmbeddedStore({ path: ":memory:" });
  const list = store.list.bind(store);
  let left = failures;
  store.list = (...args) =>
    left-- > 0 ? Promise.reject(new DatastoreError("unavailable", "not now")) : list(...args);
  await store.put(affinityKey(GONE, BLOCK), JSON.stringify({ state: "confirmed", deleted: false }));
  const clock = createFakeClock();
  const collector = createGarbageCollector(
    { store, clock, log: silentLog },
    { nodeName: parseNodeName(self), graceMs: GRACE_MS, blocksOf: () => [BLOCK] },
  );
  collector.note([node("host1"), node("host2"), claim]);
  collector.start();
  const idle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  await idle();
  return {
    store,
    clock,
    async advance(ms) {
      clock.advance(ms);
      await idle();
    },
    note: (facts) => {
      collector.note(facts);
    },
    async stands() {
      await idle();
      return (await store.get(affinityKey(GONE, BLOCK))) !== undefined;
    },
    async [Symbol.asyncDispose]() {
      await collector[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

describe("collecting what a deleted node held", () => {
  it("waits for as long as it might be a mistake", async () => {
    await using trial = await createTrial("host1");
    await trial.advance(GRACE_MS - 1);
    assert.equal(await trial.stands(), true);
    await trial.advance(1);
    assert.equal(await trial.stands(), false);
  });

  it("is given up where the node comes back", async () => {
    await using trial = await createTrial("host1");
    await trial.advance(GRACE_MS - 1);
    trial.note([node(GONE)]);
    await trial.advance(GRACE_MS);
    assert.equal(await trial.stands(), true);
  });

  it("is the first node's by name, and the next one's where that does not do it", async () => {
    await using trial = await createTrial("host2");
    await trial.advance(60_000);
    await trial.advance(GRACE_MS - 1);
    assert.equal(await trial.stands(), true);
    await trial.advance(1);
    assert.equal(await trial.stands(), false);
  });

  it("is tried again until it is done", async () => {
    await using trial = await createTrial("host1", { failures: 2 });
    await trial.advance(30_000);
    await trial.advance(30_000);
    await trial.advance(GRACE_MS - 1);
    assert.equal(await trial.stands(), true);
    await trial.advance(1);
    assert.equal(await trial.stands(), false);
  });

  it("is nothing once another has done it", async () => {
    await using trial = await createTrial("host2");
    trial.note([{ ...claim, value: undefined }]);
    await trial.advance(10 * GRACE_MS);
    assert.equal(await trial.stands(), true, "the store, which was not told");
  });
});
