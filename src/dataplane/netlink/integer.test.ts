// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  getI32,
  getU16,
  getU16be,
  getU32,
  getU32be,
  getU64,
  getU8,
  putU16,
  putU16be,
  putU32,
  putU32be,
  putU8,
} from "./integer.ts";
import { wire } from "./wire.ts";

test("the least significant byte comes first, and the highest bit counts as it should", () => {
  const bytes = wire`80 ff 34 12 fe ff ff ff`;
  assert.deepEqual([getU8(bytes, 0), getU16(bytes, 2)], [0x80, 0x1234]);
  assert.deepEqual([getU32(bytes, 4), getI32(bytes, 4)], [0xfffffffe, -2]);
  assert.equal(getU64(wire`fe ff ff ff 01 00 00 00`, 0), 0x1fffffffe);
});

test("what is put is what is there, cut to its size", () => {
  const bytes = new Uint8Array(12);
  putU8(bytes, 0, 0x1ff);
  putU16(bytes, 2, 0x11234);
  putU32(bytes, 4, 0xfffffffe);
  putU32(bytes, 8, -2);
  assert.deepEqual(bytes, wire`ff 00 34 12 fe ff ff ff fe ff ff ff`);
});

test("in network byte order the most significant byte comes first", () => {
  const bytes = wire`12 34 fe dc ba 98`;
  assert.deepEqual([getU16be(bytes, 0), getU32be(bytes, 2)], [0x1234, 0xfedcba98]);
  const copy = new Uint8Array(6);
  putU16be(copy, 0, 0x51234);
  putU32be(copy, 2, 0xfedcba98);
  assert.deepEqual(copy, bytes);
});

test("outside the bytes nothing is read or written", () => {
  const bytes = wire`01 02 03`;
  for (const get of [getU32, getI32]) assert.throws(() => get(bytes, 0), RangeError);
  assert.throws(() => getU16(bytes, 2), RangeError);
  assert.throws(() => getU8(bytes, 3), RangeError);
  assert.throws(() => {
    putU32(bytes, 0, 0);
  }, RangeError);
});
