// SPDX-License-Identifier: Apache-2.0
// Random histories of several nodes on one store, checked against a model after every step.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Ip } from "../net/ip.ts";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import type { Allocator } from "./allocator.ts";
import { makeNode, makePool, makeRequest } from "./allocator-fixtures.ts";
import { assertAffinitiesExact, assertBlocksSound, assertHandlesExact, readState } from "./invariants.ts";

/** Eight blocks of four addresses: small enough to run full, to borrow and to contend. */
const POOL = makePool("small", "10.1.0.0/27", 30);
const SIZE = 32;
const NODES = ["host1", "host2", "host3"];
const STEPS = 40;

/** xorshift32; the same seed gives the same history. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

interface Container {
  readonly node: string;
  readonly name: string;
}

/** The cluster as it should be. */
class Model {
  readonly held = new Map<string, Ip>();
  readonly nodeOf = new Map<string, string>();
}

async function act(
  nodes: ReadonlyMap<string, Allocator>,
  { node, name }: Container,
  model: Model,
  strictAffinity: boolean,
): Promise<void> {
  const allocator = nodes.get(node) ?? assert.fail();
  if (model.held.has(name)) {
    const { released } = await allocator.releaseByHandle(`net.${name}`);
    assert.deepEqual(released, [model.held.get(name)]);
    model.held.delete(name);
    return;
  }
  const before = model.held.size;
  const result = await allocator.assign(makeRequest(name, [POOL], { strictAffinity }));
  if (result.kind === "assigned") {
    model.held.set(name, result.address);
    model.nodeOf.set(name, node);
  } else {
    assert.equal(result.kind, "exhausted");
    // Borrowing reaches every address, so a refusal means that there was none.
    if (!strictAffinity) assert.ok(before + NODES.length * 4 >= SIZE, "refused although addresses are free");
  }
}

async function check(store: Store, model: Model, strictAffinity: boolean): Promise<void> {
  const state = await readState(store);
  assertBlocksSound(state);
  assertHandlesExact(state);
  assertAffinitiesExact(state);
  const held = [...state.holders].map(([ip, handle]) => `${handle} ${ip}`);
  assert.deepEqual(held.sort(), [...model.held].map(([name, ip]) => `net.${name} ${ip}`).sort());
  if (!strictAffinity) return;
  for (const block of state.blocks.values())
    for (const { handle_id: handle } of block.attributes)
      assert.equal(block.affinity, `host:${model.nodeOf.get((handle ?? "").slice("net.".length))}`);
}

for (const strictAffinity of [false, true]) {
  for (const seed of [1, 20, 300, 4000, 50_000, 600_000]) {
    test(`nodes that ${strictAffinity ? "never" : "may"} borrow agree on every address (seed ${seed})`, async () => {
      await using store = openEmbeddedStore({ path: ":memory:" });
      const random = createRandom(seed);
      const nodes = new Map(NODES.map((name) => [name, makeNode(store, name)]));
      const containers = NODES.flatMap((node) =>
        Array.from({ length: 14 }, (_, index) => ({ node, name: `${node}-c${index}` })),
      );
      const model = new Model();
      for (let step = 0; step < STEPS; step++) {
        // A node that starts anew knows nothing but the store.
        const restarted = NODES[random(20)];
        if (restarted !== undefined) nodes.set(restarted, makeNode(store, restarted));
        const chosen = new Set(
          Array.from({ length: 1 + random(12) }, () => containers[random(containers.length)]),
        );
        const work = [...chosen].filter((container) => container !== undefined);
        await Promise.all(work.map((container) => act(nodes, container, model, strictAffinity)));
        await check(store, model, strictAffinity);
      }
      assert.ok(model.held.size > 0);
    });
  }
}
