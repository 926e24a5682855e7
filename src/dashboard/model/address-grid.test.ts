// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Block, type Pool, byAddress, cellPrefix, gridOf } from "./address-grid.ts";

function pool(cidr: string, blockSize: number): Pool {
  return {
    id: "pool",
    name: "pool",
    cidr,
    blockSize,
    isDisabled: false,
    ipipMode: "Never",
    vxlanMode: "Never",
    addresses: "1",
    used: 0,
  };
}

function block(id: string): Block {
  return { id, pool: "pool", node: null, size: 64, used: 0, cooling: 0, free: 64 };
}

describe("a pool as a grid", () => {
  it("has a cell for each block, in the order of addresses", () => {
    const wanted = pool("10.1.0.0/16", 26);
    const grid = gridOf(wanted, [block("10.1.1.0/26"), block("10.1.0.64/26"), block("10.1.255.192/26")]);
    assert.deepEqual([grid.columns, grid.rows, grid.blocksPerCell, grid.capacity], [32, 32, 1n, 1024n]);
    assert.deepEqual(
      grid.cells.map(({ index }) => [index, cellPrefix(wanted, grid, index)]),
      [
        [1, "10.1.0.64/26"],
        [4, "10.1.1.0/26"],
        [1023, "10.1.255.192/26"],
      ],
    );
  });

  it("has cells for several blocks where there are too many", () => {
    const wanted = pool("10.0.0.0/8", 26);
    const grid = gridOf(wanted, [block("10.0.0.0/26"), block("10.0.0.64/26"), block("10.0.64.0/26")]);
    assert.deepEqual([grid.columns, grid.rows, grid.blocksPerCell, grid.capacity], [32, 32, 256n, 262144n]);
    assert.deepEqual(
      grid.cells.map(({ index, blocks }) => [index, blocks.length]),
      [
        [0, 2],
        [1, 1],
      ],
    );
    assert.equal(cellPrefix(wanted, grid, 1), "10.0.64.0/18");
  });

  it("is as good for IPv6", () => {
    const wanted = pool("fd00:1::/48", 122);
    const grid = gridOf(wanted, [block("fd00:1::/122"), block("fd00:1:0:40::/122")]);
    assert.equal(grid.blocksPerCell, 1n << 64n);
    assert.deepEqual(
      grid.cells.map(({ index }) => cellPrefix(wanted, grid, index)),
      ["fd00:1::/58", "fd00:1:0:40::/58"],
    );
  });

  it("may be a single block", () => {
    const grid = gridOf(pool("10.1.0.0/26", 26), [block("10.1.0.0/26")]);
    assert.deepEqual([grid.columns, grid.rows, grid.cells.length], [1, 1, 1]);
  });

  it("has its blocks in the order of their addresses, not of their letters", () => {
    const ids = ["10.1.240.64/26", "10.1.95.0/26", "10.1.95.64/26"];
    assert.deepEqual(
      byAddress(ids.map(block)).map(({ id }) => id),
      ["10.1.95.0/26", "10.1.95.64/26", "10.1.240.64/26"],
    );
  });

  it("leaves out blocks that are beyond the pool", () => {
    assert.deepEqual(gridOf(pool("10.1.0.0/24", 26), [block("10.2.0.0/26"), block("10.0.0.0/26")]).cells, []);
  });
});
