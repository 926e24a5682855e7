// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { truncations, wire } from "./wire.ts";

const EVERY_KIND = wire`
  de ad be ef  // the fixed structure
  05 00 01 00
  7f 00 00 00  // u8
  06 00 02 00
  34 12 00 00  // u16
  08 00 03 00
  78 56 34 12  // u32
  07 00 04 00
  01 02 03 00  // bytes
  07 00 05 00
  6c 6f 00 00  // "lo"
  06 00 08 00
  12 34 00 00  // u16be
  08 00 09 00
  fe dc ba 98  // u32be
  0c 00 06 80  // nested
  08 00 07 00
  01 00 00 00
`;

function encodeEveryKind(): Uint8Array {
  return new AttributeEncoder(wire`de ad be ef`)
    .u8(1, 0x7f)
    .u16(2, 0x1234)
    .u32(3, 0x12345678)
    .bytes(4, wire`01 02 03`)
    .string(5, "lo")
    .u16be(8, 0x1234)
    .u32be(9, 0xfedcba98)
    .nested(6, (inner) => inner.u32(7, 1))
    .finish();
}

function decodeEveryKind(bytes: Uint8Array): unknown[] {
  const attributes = new AttributeDecoder(bytes, 4);
  const found: unknown[] = [];
  const readers = new Map<number, () => unknown>([
    [1, () => attributes.u8()],
    [2, () => attributes.u16()],
    [3, () => attributes.u32()],
    [4, () => attributes.bytes()],
    [5, () => attributes.string()],
    [8, () => attributes.u16be()],
    [9, () => attributes.u32be()],
    [6, () => readFirst(attributes.nested())],
  ]);
  while (attributes.next()) found.push(readers.get(attributes.type)?.());
  return found;
}

function readFirst(attributes: AttributeDecoder): unknown {
  assert.ok(attributes.next());
  return { [attributes.type]: attributes.u32() };
}

test("attributes follow the fixed structure, each padded to four bytes", () => {
  assert.deepEqual(encodeEveryKind(), EVERY_KIND);
});

test("the cursor reads what the encoder wrote", () => {
  const expected = [0x7f, 0x1234, 0x12345678, wire`01 02 03`, "lo", 0x1234, 0xfedcba98, { 7: 1 }];
  assert.deepEqual(decodeEveryKind(EVERY_KIND), expected);
});

test("attributes cut off anywhere but between two are an error", () => {
  // Behind an attribute, with or without its padding, and where there is none yet.
  const wholeAt = [0, 1, 2, 3, 4, 9, 10, 11, 12, 18, 19, 20, 28, 35, 36, 43, 44, 50, 51, 52, 60];
  for (const bytes of truncations(EVERY_KIND)) {
    if (wholeAt.includes(bytes.length)) assert.doesNotThrow(() => decodeEveryKind(bytes));
    else assert.throws(() => decodeEveryKind(bytes), RangeError, `${bytes.length} bytes`);
  }
});

test("a number must have its very length", () => {
  const attributes = new AttributeDecoder(wire`06 00 02 00 34 12 00 00`);
  assert.ok(attributes.next());
  assert.throws(() => attributes.u32(), /Cannot decode attribute 2: want 4 bytes, have 2/);
  assert.throws(() => attributes.u8(), RangeError);
  assert.equal(attributes.u16(), 0x1234);
});

test("a length under that of the header is an error, not an endless loop", () => {
  assert.throws(() => new AttributeDecoder(wire`03 00 01 00`).next(), /length 3, with 4 bytes there/);
});

test("a nested attribute cannot reach beyond the one it is in", () => {
  const outer = new AttributeDecoder(wire`
    08 00 01 80
    08 00 02 00  // claims four more bytes than the outer one has
    ff ff ff ff
  `);
  assert.ok(outer.next());
  assert.throws(() => outer.nested().next(), /length 8, with 4 bytes there/);
});

test("text ends at its zero, or with the attribute", () => {
  const attributes = new AttributeDecoder(wire`08 00 01 00 61 00 62 00 06 00 02 00 61 62`);
  assert.ok(attributes.next());
  assert.equal(attributes.string(), "a");
  assert.ok(attributes.next());
  assert.equal(attributes.string(), "ab");
});

test("an encoder takes more than it began with, and no attribute over 65,531 bytes", () => {
  const encoder = new AttributeEncoder();
  for (let index = 0; index < 100; index++) encoder.u32(index, index);
  assert.equal(encoder.finish().length, 800);
  assert.equal(encoder.bytes(1, new Uint8Array(65531)).finish().length, 800 + 65536);
  assert.throws(() => encoder.bytes(1, new Uint8Array(65532)), RangeError);
});
