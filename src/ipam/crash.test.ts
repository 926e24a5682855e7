// SPDX-License-Identifier: Apache-2.0
// An agent that dies between any two writes: what it leaves is repaired by the next one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import { DatastoreError, type Store } from "../datastore/store.ts";
import type { Allocator } from "./allocator.ts";
import { addressOf, makeNode, makePool, makeRequest } from "./allocator-fixtures.ts";
import {
  assertAffinitiesExact,
  assertBlocksSound,
  assertHandlesCover,
  assertHandlesExact,
  readState,
} from "./invariants.ts";
import { breakingStore } from "./store-fakes.ts";

const POOL = makePool("small", "10.1.0.0/28", 30);

interface Story {
  readonly name: string;
  /** What was there before. */
  readonly before: (node: Allocator) => Promise<unknown>;
  /** What is cut off. */
  readonly act: (node: Allocator) => Promise<unknown>;
}

const STORIES: readonly Story[] = [
  {
    name: "a first assignment with its claim",
    before: () => Promise.resolve(),
    act: (node) => node.assign(makeRequest("c1", [POOL])),
  },
  {
    name: "an assignment from a block that is there",
    before: (node) => node.assign(makeRequest("c0", [POOL])),
    act: (node) => node.assign(makeRequest("c1", [POOL])),
  },
  {
    name: "an assignment that overflows into a new block",
    before: async (node) => {
      for (const name of ["a", "b", "c", "d"]) addressOf(await node.assign(makeRequest(name, [POOL])));
    },
    act: (node) => node.assign(makeRequest("c1", [POOL])),
  },
  {
    name: "a second interface",
    before: (node) => node.assign(makeRequest("c1", [POOL], {}, "eth1")),
    act: (node) => node.assign(makeRequest("c1", [POOL])),
  },
  {
    name: "a release",
    before: (node) => node.assign(makeRequest("c1", [POOL])),
    act: (node) => node.releaseByHandle("net.c1"),
  },
  {
    name: "giving up an empty block",
    before: (node) => node.claimSpareBlock({ pools: [POOL], family: 4, strictAffinity: false, maxBlocks: 0 }),
    act: async (node) => node.releaseBlocks((await node.ownBlocks(4)).map(({ cidr }) => cidr)),
  },
];

/** Runs the story cut off at each write in turn, until it is not cut off any more; returns how often it was. */
async function cutEverywhere(
  story: Story,
  how: "lost" | "unanswered",
  check: (store: Store) => Promise<void>,
): Promise<number> {
  for (let at = 0; ; at++) {
    await using store = openEmbeddedStore({ path: ":memory:" });
    await story.before(makeNode(store, "host1"));
    const broken = await isCutOff(story.act(makeNode(breakingStore(store, at, how), "host1")));
    const state = await readState(store);
    assertBlocksSound(state);
    assertHandlesCover(state);
    await check(store);
    if (!broken) return at;
  }
}

async function isCutOff(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    assert.ok(error instanceof DatastoreError);
    assert.equal(error.code, "unavailable");
    return true;
  }
}

for (const story of STORIES) {
  for (const how of ["lost", "unanswered"] as const) {
    test(`${story.name}, cut off at any write (${how}), is undone by a release`, async () => {
      const cuts = await cutEverywhere(story, how, async (store) => {
        const next = makeNode(store, "host1");
        await next.releaseByHandle("net.c1");
        addressOf(await next.assign(makeRequest("c2", [POOL])));
        const state = await readState(store);
        assert.ok(![...state.holders.values()].includes("net.c1"));
        assertHandlesExact(state);
        assertAffinitiesExact(state);
      });
      assert.ok(cuts >= 2, `it was cut off ${cuts} times`);
    });

    test(`${story.name}, cut off at any write (${how}), is completed by assigning again`, async () => {
      await cutEverywhere(story, how, async (store) => {
        const next = makeNode(store, "host1");
        const address = addressOf(await next.assign(makeRequest("c1", [POOL])));
        assert.equal(addressOf(await next.assign(makeRequest("c1", [POOL]))), address);
        const state = await readState(store);
        assertHandlesExact(state);
        assertAffinitiesExact(state);
      });
    });

    test(`${story.name}, cut off at any write (${how}), does not hinder another node`, async () => {
      await cutEverywhere(story, how, async (store) => {
        const other = makeNode(store, "host2");
        for (const name of ["x1", "x2", "x3", "x4", "x5"])
          addressOf(await other.assign(makeRequest(name, [POOL])));
        const state = await readState(store);
        assertBlocksSound(state);
        assertHandlesCover(state);
      });
    });
  }
}
