// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { type NetlinkMessage, decodeMessages, encodeMessages, nlmsgAlign } from "./message.ts";
import { truncations, wire } from "./wire.ts";

const TWO_MESSAGES: readonly NetlinkMessage[] = [
  { type: 0x1234, flags: 0x0305, sequence: 7, portId: 0, body: wire`aa bb cc dd ee` },
  { type: 3, flags: 2, sequence: 0xffffffff, portId: 0x80000001, body: wire`00 00 00 00` },
];
const TWO_MESSAGES_WIRE = wire`
  15 00 00 00  // length 21
  34 12 05 03  // type, flags
  07 00 00 00  // sequence
  00 00 00 00  // port
  aa bb cc dd
  ee 00 00 00  // padded to four
  14 00 00 00  // length 20
  03 00 02 00
  ff ff ff ff
  01 00 00 80
  00 00 00 00
`;

test("messages are laid out one behind the other, each padded to four bytes", () => {
  assert.deepEqual(encodeMessages(TWO_MESSAGES), TWO_MESSAGES_WIRE);
});

test("decoding gives back what was encoded", () => {
  assert.deepEqual([...decodeMessages(TWO_MESSAGES_WIRE)], TWO_MESSAGES);
});

test("no bytes are no messages", () => {
  assert.deepEqual([...decodeMessages(new Uint8Array())], []);
});

test("a message cut off anywhere is an error", () => {
  const [first] = TWO_MESSAGES;
  assert.ok(first);
  const unpadded = encodeMessages([first]).slice(0, 21);
  assert.equal([...decodeMessages(unpadded)].length, 1);
  for (const bytes of truncations(unpadded).slice(1))
    assert.throws(() => [...decodeMessages(bytes)], RangeError, `${bytes.length} bytes`);
});

test("a length under that of the header is an error, not an endless loop", () => {
  for (const length of [0, 15]) {
    const bytes = wire`10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`;
    bytes[0] = length;
    assert.throws(() => [...decodeMessages(bytes)], new RegExp(`length ${length}, with 16 bytes there`));
  }
});

test("lengths are aligned to four", () => {
  assert.deepEqual([0, 1, 3, 4, 5, 16].map(nlmsgAlign), [0, 4, 4, 4, 8, 16]);
});
