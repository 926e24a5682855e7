// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { makePool } from "./allocator-fixtures.ts";
import { type OwnBlock, isLow, leavesEnough, surplusOf } from "./stock.ts";

const POOL = makePool("usual", "10.1.0.0/16", 26);
const HOSTS = makePool("hosts", "10.2.0.0/24", 32);

function block(cidr: string, free: number, isIdle = false): OwnBlock {
  return { cidr: parseCidr(cidr), free, isIdle };
}

describe("a node's stock of blocks", () => {
  for (const [what, blocks, pool, is] of [
    ["without a block", [], POOL, true],
    ["with a new block", [block("10.1.0.0/26", 64, true)], POOL, false],
    ["with a quarter of a block free", [block("10.1.0.0/26", 16)], POOL, false],
    ["with less than that", [block("10.1.0.0/26", 15)], POOL, true],
    ["with less in each, and more in all", [block("10.1.0.0/26", 10), block("10.1.1.0/26", 9)], POOL, false],
    ["with blocks of another pool only", [block("10.9.0.0/26", 64, true)], POOL, true],
    ["with a free block of one address", [block("10.2.0.1/32", 1, true)], HOSTS, false],
    ["with a taken block of one address", [block("10.2.0.1/32", 0)], HOSTS, true],
  ] as const)
    it(`is ${is ? "" : "not "}low ${what}`, () => {
      assert.equal(isLow(blocks, [pool]), is);
    });

  it("is never low where there is no pool to take from", () => {
    assert.equal(isLow([], []), false);
  });

  for (const [what, blocks, surplus] of [
    ["its only block", [block("10.1.0.0/26", 64, true)], []],
    [
      "one of two idle ones",
      [block("10.1.0.0/26", 64, true), block("10.1.1.0/26", 64, true)],
      ["10.1.0.0/26"],
    ],
    [
      "an idle one beside one with half its addresses free",
      [block("10.1.0.0/26", 32), block("10.1.1.0/26", 64, true)],
      ["10.1.1.0/26"],
    ],
    ["an idle one beside one with fewer", [block("10.1.0.0/26", 31), block("10.1.1.0/26", 64, true)], []],
    ["blocks in use", [block("10.1.0.0/26", 63), block("10.1.1.0/26", 63)], []],
    [
      "an idle one of a pool that is none of its own any more",
      [block("10.9.0.0/26", 64, true)],
      ["10.9.0.0/26"],
    ],
    ["one in use of such a pool", [block("10.9.0.0/26", 63)], []],
  ] as const)
    it(`${surplus.length === 0 ? "keeps" : "gives up"} ${what}`, () => {
      assert.deepEqual(surplusOf(blocks, [POOL]), surplus);
    });

  it("leaves a quarter of the pool to others, and counts no blocks of other pools", () => {
    const pool = makePool("small", "10.1.0.0/28", 30);
    const [a, b, c] = ["10.1.0.0/30", "10.1.0.4/30", "10.1.0.8/30"].map(parseCidr);
    assert.ok(a && b && c);
    assert.equal(leavesEnough([a, b, parseCidr("10.9.0.0/30")], [pool]), true);
    assert.equal(leavesEnough([a, b, c], [pool]), false);
  });
});
