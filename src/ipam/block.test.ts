// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import type { IpamBlock } from "../model/ipam-block.ts";
import { parseNodeName } from "../model/name.ts";
import {
  type Allocation,
  type Holder,
  allocationOf,
  allocationsOf,
  assignIp,
  assignNext,
  countFree,
  isEmpty,
  newBlock,
  releaseSeen,
  releaseWhere,
} from "./block.ts";

const NOW = Date.UTC(2026, 0, 1);
const EMPTY = newBlock(parseCidr("10.1.0.0/30"), { node: parseNodeName("host1"), nowMs: NOW });

function makeHolder(handleId: string, interfaceName = "eth0"): Holder {
  return { handleId, attributes: { interface: interfaceName } };
}

function assignAll(block: IpamBlock, ...holders: readonly Holder[]): IpamBlock {
  return holders.reduce(
    (current, holder) => assignNext(current, holder)?.block ?? assert.fail("full"),
    block,
  );
}

function heldBy(block: IpamBlock, handleId: string): Allocation {
  return allocationsOf(block).find((allocation) => allocation.handleId === handleId) ?? assert.fail(handleId);
}

function release(block: IpamBlock, handleId: string): IpamBlock {
  return releaseWhere(block, (allocation) => allocation.handleId === handleId).block;
}

test("a new block is free, the node's own, and numbered by the time it was made", () => {
  assert.deepEqual(EMPTY, {
    cidr: "10.1.0.0/30",
    affinity: "host:host1",
    allocations: [null, null, null, null],
    unallocated: [0, 1, 2, 3],
    attributes: [],
    sequenceNumber: 1_767_225_600_000_000_000n,
    sequenceNumberForAllocation: {},
    affinityClaimTime: "2026-01-01T00:00:00Z",
    deleted: false,
  });
  assert.equal(isEmpty(EMPTY), true);
});

test("addresses are taken in order, each with the block's number before its write", () => {
  const block = assignAll(EMPTY, makeHolder("a"), makeHolder("b"));
  assert.deepEqual(block.allocations, [0, 1, null, null]);
  assert.deepEqual(block.unallocated, [2, 3]);
  assert.deepEqual(block.attributes, [
    { handle_id: "a", secondary: { interface: "eth0" } },
    { handle_id: "b", secondary: { interface: "eth0" } },
  ]);
  assert.equal(block.sequenceNumber, EMPTY.sequenceNumber + 2n);
  assert.deepEqual(block.sequenceNumberForAllocation, {
    "0": EMPTY.sequenceNumber,
    "1": EMPTY.sequenceNumber + 1n,
  });
  assert.equal(isEmpty(block), false);
});

test("the block that an edit starts from stays as it was", () => {
  const before = structuredClone(EMPTY);
  release(assignAll(EMPTY, makeHolder("a")), "a");
  assert.deepEqual(EMPTY, before);
});

test("equal holders share their attributes, others have their own", () => {
  const block = assignAll(EMPTY, makeHolder("a"), makeHolder("a"), makeHolder("a", "eth1"));
  assert.deepEqual(block.allocations, [0, 0, 1, null]);
});

test("a full block gives nothing", () => {
  const full = assignAll(EMPTY, ...["a", "b", "c", "d"].map((name) => makeHolder(name)));
  assert.equal(countFree(full), 0);
  assert.equal(assignNext(full, makeHolder("e")), undefined);
});

test("reserved addresses are passed over and keep their place in the line", () => {
  const reserved = (ip: string): boolean => ip === "10.1.0.0" || ip === "10.1.0.2";
  const first = assignNext(EMPTY, makeHolder("a"), reserved) ?? assert.fail();
  assert.equal(first.ip, "10.1.0.1");
  assert.deepEqual(first.block.unallocated, [0, 2, 3]);
  assert.equal(countFree(first.block, reserved), 1);
  const second = assignNext(first.block, makeHolder("b"), reserved) ?? assert.fail();
  assert.equal(assignNext(second.block, makeHolder("c"), reserved), undefined);
});

test("one address can be asked for while it is free", () => {
  const ip = parseIp("10.1.0.2");
  const block = assignIp(EMPTY, ip, makeHolder("a")) ?? assert.fail();
  assert.deepEqual(block.unallocated, [0, 1, 3]);
  assert.equal(allocationOf(block, ip)?.handleId, "a");
  assert.equal(assignIp(block, ip, makeHolder("b")), undefined);
  assert.equal(allocationOf(block, parseIp("10.1.0.1")), undefined);
  assert.equal(allocationOf(block, parseIp("10.9.0.1")), undefined);
});

test("released addresses stand last in the line", () => {
  const block = release(assignAll(EMPTY, makeHolder("a"), makeHolder("b")), "a");
  assert.deepEqual(block.allocations, [null, 0, null, null]);
  assert.deepEqual(block.unallocated, [2, 3, 0]);
  assert.deepEqual(block.attributes, [{ handle_id: "b", secondary: { interface: "eth0" } }]);
  assert.deepEqual(Object.keys(block.sequenceNumberForAllocation), ["1"]);
});

test("a release that finds nothing gives the same block back", () => {
  const block = assignAll(EMPTY, makeHolder("a"));
  assert.equal(release(block, "b"), block);
});

test("an address that was given to another since is not released by who saw it before", () => {
  const first = assignAll(EMPTY, makeHolder("a"));
  const seen = heldBy(first, "a");
  assert.deepEqual(allocationsOf(releaseSeen(first, seen)), []);
  // The same handle again on the same address: only the number tells the two apart.
  const again = assignIp(release(first, "a"), seen.ip, makeHolder("a")) ?? assert.fail();
  assert.equal(releaseSeen(again, seen), again);
});

test("a block of one address works like any other", () => {
  const single = newBlock(parseCidr("fd00::7/128"), { node: parseNodeName("host1"), nowMs: NOW });
  const taken = assignNext(single, makeHolder("a")) ?? assert.fail();
  assert.equal(taken.ip, "fd00::7");
  assert.equal(assignNext(taken.block, makeHolder("b")), undefined);
});

test("an address without a handle is held all the same", () => {
  const block: IpamBlock = {
    ...EMPTY,
    allocations: [0, null, null, null],
    unallocated: [1, 2, 3],
    attributes: [{ handle_id: null, secondary: {} }],
  };
  assert.deepEqual(allocationsOf(block), [
    { ip: "10.1.0.0", handleId: undefined, attributes: {}, sequence: 0n },
  ]);
  assert.equal(assignIp(block, parseIp("10.1.0.0"), makeHolder("a")), undefined);
});
