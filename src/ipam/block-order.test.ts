// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { cidrContains, parseCidr } from "../net/cidr.ts";
import { blocksOf } from "./block-order.ts";

const POOL = parseCidr("10.1.0.0/16");

test("every block of the pool comes once", () => {
  const blocks = [...blocksOf(POOL, 26, "host1")];
  assert.equal(blocks.length, 1024);
  assert.equal(new Set(blocks).size, 1024);
  for (const block of blocks) assert.ok(block.endsWith("/26") && cidrContains(POOL, block));
});

test("a pool of one block has that block", () => {
  assert.deepEqual([...blocksOf(parseCidr("10.1.0.0/26"), 26, "host1")], ["10.1.0.0/26"]);
});

test("a node always sees the same order", () => {
  assert.deepEqual([...blocksOf(POOL, 26, "host1")], [...blocksOf(POOL, 26, "host1")]);
});

test("nodes that start at the same time seldom want the same block", () => {
  const first = Array.from({ length: 100 }, (_, index) => blocksOf(POOL, 26, `host${index}`).next().value);
  // 100 throws into 1024 bins leave 95 filled on average.
  assert.ok(new Set(first).size > 85, `${new Set(first).size} different blocks`);
});

test("nodes whose first blocks are neighbours go on differently", () => {
  const orders = Array.from({ length: 50 }, (_, index) =>
    blocksOf(POOL, 26, `host${index}`).take(5).toArray(),
  );
  assert.ok(new Set(orders.flat()).size > 190, `${new Set(orders.flat()).size} different blocks`);
});

test("a pool of 2^58 blocks is not walked to get the first", () => {
  const pool = parseCidr("fd00::/64");
  const blocks = blocksOf(pool, 122, "host1").take(3).toArray();
  assert.equal(new Set(blocks).size, 3);
  for (const block of blocks) assert.ok(cidrContains(pool, block));
});
