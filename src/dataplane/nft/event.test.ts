// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetlinkMessage } from "../netlink/message.ts";
import { truncations, wire } from "../netlink/wire.ts";
import { decodeNftEvent } from "./event.ts";

const NEWTABLE = 0xa00;
const NEWSETELEM = 0xa0c;
const DELSETELEM = 0xa0e;
const NEWGEN = 0xa0f;

const message = (type: number, body: Uint8Array): NetlinkMessage => ({
  type,
  flags: 0,
  sequence: 0,
  portId: 0,
  body,
});

const OURS = { family: "ip", name: "margay" } as const;

/** As Linux 6.18 sends them. */
const NODE = wire`
  02 00 00 05  // nfgenmsg: NFPROTO_IPV4, version 0, the transaction's number
  0b 00 01 00  // NFTA_SET_ELEM_LIST_TABLE
  6d 61 72 67
  61 79 00 00
  0a 00 02 00  // NFTA_SET_ELEM_LIST_SET
  6e 6f 64 65
  73 00 00 00
  14 00 03 00  // NFTA_SET_ELEM_LIST_ELEMENTS
  10 00 01 00  // NFTA_LIST_ELEM
  0c 00 01 00  // NFTA_SET_ELEM_KEY
  08 00 01 00  // NFTA_DATA_VALUE
  c0 a8 00 66
`;
const PORT = wire`
  02 00 00 07
  0b 00 01 00  // NFTA_SET_ELEM_LIST_TABLE
  6d 61 72 67
  61 79 00 00
  0a 00 02 00  // NFTA_SET_ELEM_LIST_SET
  70 6f 72 74
  73 00 00 00
  4c 00 03 00  // NFTA_SET_ELEM_LIST_ELEMENTS
  48 00 01 00  // NFTA_LIST_ELEM
  0c 00 01 00  // NFTA_SET_ELEM_KEY
  06 00 01 00  // NFTA_DATA_VALUE
  12 b5 00 00
  2c 00 07 00  // NFTA_SET_ELEM_EXPR
  0c 00 01 00  // NFTA_EXPR_NAME
  63 6f 75 6e
  74 65 72 00
  1c 00 02 00  // NFTA_EXPR_DATA
  0c 00 01 00  // NFTA_COUNTER_BYTES
  00 00 00 00
  00 00 00 00
  0c 00 02 00  // NFTA_COUNTER_PACKETS
  00 00 00 00
  00 00 00 00
  09 00 06 00  // NFTA_SET_ELEM_USERDATA
  00 03 76 78
  00 00 00 00
`;
const TABLE = wire`
  02 00 00 08
  0b 00 01 00  // NFTA_TABLE_NAME
  6d 61 72 67
  61 79 00 00
  08 00 03 00  // NFTA_TABLE_USE
  00 00 00 00
`;
const GENERATION = wire`
  00 00 00 08
  08 00 01 00  // NFTA_GEN_ID
  00 00 00 08
`;

/** The bytes with the octets from `at` on in the place of theirs. */
function patched(bytes: Uint8Array, at: number, ...octets: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(octets, at);
  return copy;
}

test("a new node is an element of its set", () => {
  assert.deepEqual(decodeNftEvent(message(NEWSETELEM, NODE)), {
    kind: "elements",
    table: OURS,
    change: "new",
    elements: [{ kind: "element", set: "nodes", value: "192.168.0.102" }],
  });
});

test("several elements may come in one message", () => {
  const element = NODE.subarray(32);
  const two = Uint8Array.of(...patched(NODE, 28, 0x24), ...patched(element, 12, 10, 0, 0, 1));
  const event = decodeNftEvent(message(NEWSETELEM, two));
  assert.ok(event?.kind === "elements");
  assert.deepEqual(
    event.elements.map(({ value }) => value),
    ["192.168.0.102", "10.0.0.1"],
  );
});

test("a port that is taken away is named without what it counted", () => {
  assert.deepEqual(decodeNftEvent(message(DELSETELEM, PORT)), {
    kind: "elements",
    table: OURS,
    change: "deleted",
    elements: [{ kind: "element", set: "ports", value: "4789" }],
  });
});

test("an element of an unknown kind means that the table is another", () => {
  const odd = patched(PORT, 40, 0x05);
  assert.deepEqual(decodeNftEvent(message(NEWSETELEM, patched(odd, 41, 0, 1, 0, 4))), {
    kind: "elements",
    table: OURS,
    change: "new",
    elements: [{ kind: "element", set: "ports", value: "4" }],
  });
  assert.deepEqual(decodeNftEvent(message(NEWSETELEM, patched(PORT, 40, 0x04))), {
    kind: "table",
    table: OURS,
  });
});

for (const type of [0, 2, 3, 5, 6, 8, 9, 11, 18, 20, 22, 24])
  test(`message ${type} about the table means that it may be another`, () => {
    assert.deepEqual(decodeNftEvent(message(0xa00 | type, TABLE)), { kind: "table", table: OURS });
  });

test("a table is known by its family too", () => {
  // NFPROTO_IPV6
  const table = { family: "ip6", name: "margay" };
  assert.deepEqual(decodeNftEvent(message(NEWTABLE, patched(TABLE, 0, 10))), { kind: "table", table });
});

test("what is about another table, family or subsystem, or about none, is no event", () => {
  assert.equal(decodeNftEvent(message(NEWTABLE, patched(TABLE, 8, 0x4d))), undefined);
  // NFPROTO_BRIDGE
  assert.equal(decodeNftEvent(message(NEWTABLE, patched(TABLE, 0, 7))), undefined);
  assert.equal(decodeNftEvent(message(0x100, TABLE)), undefined);
  assert.equal(decodeNftEvent(message(NEWGEN, GENERATION)), undefined);
});

test("a message that is cut short is an error, or about nothing", () => {
  for (const body of [NODE, PORT, TABLE].flatMap(truncations)) {
    try {
      const event = decodeNftEvent(message(NEWSETELEM, body));
      assert.ok(event === undefined || event.kind !== "elements" || event.elements.length === 0);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }
});
