// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { parseBlock, renderBlock } from "../model/ipam-block.ts";
import { parseNodeName } from "../model/name.ts";
import { parseCidr } from "../net/cidr.ts";
import { type FakeClock, createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { type Allocator, createAllocator } from "./allocator.ts";
import { addressOf, makePool, makeRequest, messageOf } from "./allocator-fixtures.ts";
import { allocationsOf, assignNext, countFree, isEmpty, newBlock, releaseWhere, thaw } from "./block.ts";
import { checkIpam } from "./check.ts";
import { assertBlocksSound, assertHandlesExact, readState } from "./invariants.ts";
import { readInventory } from "./inventory.ts";

const NOW = Date.UTC(2026, 0, 1);
const COOLDOWN_S = 60;
/** One block of two addresses. */
const PAIR = makePool("pair", "10.1.0.0/31", 31);

function makeNode(store: Store, clock: FakeClock): Allocator {
  const options = { nodeName: parseNodeName("host1"), cooldownSeconds: () => COOLDOWN_S };
  return createAllocator({ store, clock, log: silentLog }, options);
}

test("an address that cools down is nobody's, and is free in the order in which it was given back", () => {
  const empty = newBlock(parseCidr("10.1.0.0/30"), { node: parseNodeName("host1"), nowMs: NOW });
  let block = empty;
  for (const handleId of ["a", "b", "c"])
    block = assignNext(block, { handleId, attributes: {} })?.block ?? assert.fail("full");
  const release = (handleId: string, atMs: number): void => {
    block = releaseWhere(block, (held) => held.handleId === handleId, atMs).block;
  };
  release("b", NOW + 1000);
  release("a", NOW + 2000);
  assert.deepEqual(
    allocationsOf(block).map(({ handleId }) => handleId),
    ["c"],
  );
  assert.equal(countFree(block), 1);
  assert.equal(thaw(block, { nowMs: NOW + 60_999, restMs: 60_000 }), block);
  const both = thaw(block, { nowMs: NOW + 62_000, restMs: 60_000 });
  assert.deepEqual(both.unallocated, [3, 1, 0]);
  assert.deepEqual(both.attributes, [{ handle_id: "c", secondary: {} }]);
  release("c", NOW);
  assert.equal(isEmpty(block), true);
});

test("what cools down is written as Calico writes it, and read again", () => {
  const taken = assignNext(newBlock(parseCidr("10.1.0.0/31"), { node: parseNodeName("host1"), nowMs: NOW }), {
    handleId: "a",
    attributes: {},
  });
  assert.ok(taken);
  const { block } = releaseWhere(taken.block, () => true, NOW);
  assert.match(
    renderBlock(block),
    /"attributes":\[\{"handle_id":null,"secondary":\{\},"releasedAt":"2026-01-01T00:00:00.000Z"\}\]/,
  );
  assert.deepEqual(parseBlock(renderBlock(block)), { kind: "ok", value: block });
  const nonsense = renderBlock(block).replace("2026-01-01T00:00:00.000Z", "yesterday");
  assert.equal(parseBlock(nonsense).kind, "invalid");
});

test("an address is not given out again before it has cooled down, also by an agent that has just started", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const clock = createFakeClock(NOW);
  const node = makeNode(store, clock);
  const first = addressOf(await node.assign(makeRequest("c1", [PAIR])));
  await node.releaseByHandle("net.c1");
  addressOf(await node.assign(makeRequest("c2", [PAIR])));
  const refused = await node.assign(makeRequest("c3", [PAIR]));
  assert.match(messageOf(refused), /every address is taken/);
  clock.advance(COOLDOWN_S * 1000 - 1);
  messageOf(await makeNode(store, clock).assign(makeRequest("c3", [PAIR])));
  clock.advance(1);
  assert.equal(addressOf(await makeNode(store, clock).assign(makeRequest("c3", [PAIR]))), first);
  const state = await readState(store);
  assertBlocksSound(state);
  assertHandlesExact(state);
});

test("who asks for an address by itself gets it back at once", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, createFakeClock(NOW));
  const ip = addressOf(await node.assign(makeRequest("c1", [PAIR])));
  await node.releaseByHandle("net.c1");
  assert.equal(addressOf(await node.assign(makeRequest("c2", [PAIR], { ip }))), ip);
  assertBlocksSound(await readState(store));
});

test("a block is kept until its addresses have cooled down, and is no leak", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const clock = createFakeClock(NOW);
  const node = makeNode(store, clock);
  addressOf(await node.assign(makeRequest("c1", [PAIR])));
  await node.releaseByHandle("net.c1");
  const block = parseCidr("10.1.0.0/31");
  assert.deepEqual(await node.ownBlocks(4), [{ cidr: block, free: 1, isIdle: false }]);
  assert.deepEqual(await node.releaseBlocks([block]), []);
  assert.deepEqual(checkIpam(await readInventory(store)), []);
  clock.advance(COOLDOWN_S * 1000);
  assert.deepEqual(await node.releaseBlocks([block]), [block]);
});
