// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import {
  NTF_SELF,
  appendForwardingEntry,
  decodeForwardingEntry,
  deleteForwardingEntry,
  listForwardingEntries,
  replaceForwardingEntry,
} from "./fdb.ts";
import type { NetlinkMessage } from "./message.ts";
import { NUD_PERMANENT } from "./neighbour.ts";
import { truncations, wire } from "./wire.ts";

function message(body: Uint8Array, type = 28): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const ENTRY = { ifIndex: 4, mac: parseMac("66:01:02:03:04:05"), dst: parseIp("192.168.0.102") };
const ENTRY_WIRE = wire`
  07 00 00 00  // AF_BRIDGE
  04 00 00 00  // index
  80 00 02 00  // NUD_PERMANENT, NTF_SELF, type
  0a 00 02 00  // NDA_LLADDR
  66 01 02 03
  04 05 00 00
  08 00 01 00  // NDA_DST
  c0 a8 00 66
`;

test("a forwarding entry is laid out as ndmsg and attributes, and replaces or stands beside others", () => {
  const replacement = replaceForwardingEntry(ENTRY);
  assert.deepEqual(replacement.body, ENTRY_WIRE);
  assert.deepEqual([replacement.type, replacement.flags], [28, 0x500]);
  const addition = appendForwardingEntry(ENTRY);
  assert.deepEqual(addition.body, ENTRY_WIRE);
  assert.deepEqual([addition.type, addition.flags], [28, 0xc00]);
  assert.equal(
    replacement.description,
    'replace forwarding entry "66:01:02:03:04:05" to "192.168.0.102" on link 4',
  );
});

test("entries to both families survive encoding and decoding", () => {
  for (const dst of [ENTRY.dst, parseIp("fd00::2")]) {
    const entry = { ...ENTRY, dst };
    assert.deepEqual(decodeForwardingEntry(message(replaceForwardingEntry(entry).body)), {
      ...entry,
      state: NUD_PERMANENT,
      flags: NTF_SELF,
    });
  }
});

test("a bridge's entry has no other end", () => {
  const body = wire`07 00 00 00 03 00 00 00 80 00 00 00 0a 00 02 00 01 00 5e 00 00 01 00 00`;
  assert.deepEqual(decodeForwardingEntry(message(body)), {
    ifIndex: 3,
    mac: "01:00:5e:00:00:01",
    state: NUD_PERMANENT,
    flags: 0,
  });
});

test("a deletion names the entry, or all of one address", () => {
  const one = deleteForwardingEntry(ENTRY);
  assert.deepEqual(
    one.body.subarray(8),
    wire`
    00 00 02 00
    0a 00 02 00 66 01 02 03 04 05 00 00
    08 00 01 00 c0 a8 00 66
  `,
  );
  const { ifIndex, mac } = ENTRY;
  assert.deepEqual(deleteForwardingEntry({ ifIndex, mac }).body, one.body.subarray(0, 24));
});

test("a listing is of one device or of all", () => {
  assert.deepEqual(
    listForwardingEntries({ ifIndex: 4 }).request.body,
    wire`07 00 00 00 04 00 00 00 00 00 00 00`,
  );
  assert.deepEqual(listForwardingEntries().request.body, wire`07 00 00 00 00 00 00 00 00 00 00 00`);
  assert.equal(listForwardingEntries().decode(message(ENTRY_WIRE))?.dst, ENTRY.dst);
  assert.equal(listForwardingEntries().decode(message(ENTRY_WIRE, 29)), undefined);
});

test("a neighbour is no forwarding entry", () => {
  const body = ENTRY_WIRE.slice();
  body[0] = 2; // AF_INET
  assert.equal(decodeForwardingEntry(message(body)), undefined);
});

test("an entry cut off inside an attribute is malformed", () => {
  const wholeAt = [12, 22, 23, 24];
  for (const body of truncations(ENTRY_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeForwardingEntry(message(body)));
    else assert.throws(() => decodeForwardingEntry(message(body)), RangeError, `${body.length} bytes`);
  }
});
