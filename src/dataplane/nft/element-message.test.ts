// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { AttributeDecoder } from "../netlink/attribute.ts";
import { wire } from "../netlink/wire.ts";
import {
  TRANSACTION,
  decodeElementKey,
  decodeElementKeys,
  elementRequest,
  setTypes,
} from "./element-message.ts";
import { SOURCE_FRAME } from "../source-check.ts";
import { natFrame } from "../nat.ts";
import type { NftElementStatement, NftType } from "./statement.ts";

const SOURCE = { family: "inet", name: "margay-source" } as const;
const GUARD = { family: "ip", name: "margay" } as const;

function added(set: string, value: string, comment?: string): NftElementStatement {
  const element = { kind: "element", set, value, ...(comment !== undefined && { comment }) } as const;
  return { kind: "addElement", element };
}

test("an address of a container is a name of 16 octets and the address", () => {
  const statement = added("own4", "cali0123456789a . 10.1.1.2");
  const { type, flags, body, description } = elementRequest(SOURCE, "ifname . ipv4_addr", statement);
  assert.equal(type, 0xa0c);
  assert.equal(flags, 0x400);
  assert.equal(description, 'add cali0123456789a . 10.1.1.2 in set "own4" of table "inet margay-source"');
  assert.deepEqual(
    body,
    wire`
      01 00 00 00  // nfgenmsg: NFPROTO_INET
      12 00 01 00  // NFTA_SET_ELEM_LIST_TABLE
      6d 61 72 67
      61 79 2d 73
      6f 75 72 63
      65 00 00 00
      09 00 02 00  // NFTA_SET_ELEM_LIST_SET
      6f 77 6e 34
      00 00 00 00
      24 00 03 80  // NFTA_SET_ELEM_LIST_ELEMENTS
      20 00 01 80  // NFTA_LIST_ELEM
      1c 00 01 80  // NFTA_SET_ELEM_KEY
      18 00 01 00  // NFTA_DATA_VALUE
      63 61 6c 69
      30 31 32 33
      34 35 36 37
      38 39 61 00
      0a 01 01 02
    `,
  );
});

test("a removal names no comment", () => {
  const { element } = added("ports", "4789", "vxlan.calico");
  const { type, flags, body } = elementRequest(GUARD, "inet_service", { kind: "deleteElement", element });
  assert.equal(type, 0xa0e);
  assert.equal(flags, 0);
  assert.deepEqual(
    body.subarray(-16),
    wire`
      10 00 01 80  // NFTA_LIST_ELEM
      0c 00 01 80  // NFTA_SET_ELEM_KEY
      06 00 01 00  // NFTA_DATA_VALUE
      12 b5 00 00
    `,
  );
});

test("a comment is that of nft", () => {
  const { body } = elementRequest(GUARD, "inet_service", added("ports", "4789", "vx"));
  assert.deepEqual(
    body.subarray(-12),
    wire`
      09 00 06 00  // NFTA_SET_ELEM_USERDATA
      00 03 76 78
      00 00 00 00
    `,
  );
});

const ROWS: readonly (readonly [NftType, string])[] = [
  ["ipv4_addr", "192.168.0.102"],
  ["ipv6_addr", "fd00::2"],
  ["inet_proto", "4"],
  ["inet_service", "4789"],
  ["ifname . ipv4_addr", "cali0123456789a . 10.1.1.2"],
  ["ifname . ipv6_addr", "cali0123456789a . fd00::2"],
];
for (const [type, value] of ROWS)
  test(`an element of ${type} is read as it was written`, () => {
    const { body } = elementRequest(SOURCE, type, added("x", value));
    const attributes = new AttributeDecoder(body, 4);
    while (attributes.next() && attributes.type !== 3);
    assert.deepEqual(decodeElementKeys(attributes.nested()), [value]);
  });

for (const value of ["cali0123456789ab . 10.1.1.2", "cali1 . host", "cali1", "a/b . 10.1.1.2"])
  test(`"${value}" is no address of an interface`, () => {
    assert.throws(() => elementRequest(SOURCE, "ifname . ipv4_addr", added("own4", value)), SyntaxError);
  });

test("keys of other lengths are of nobody's sets", () => {
  for (const length of [0, 3, 5, 8, 19, 33])
    assert.equal(decodeElementKey(new Uint8Array(length)), undefined);
});

test("a transaction is of nftables", () => {
  const bracket = wire`00 00 00 0a`;
  assert.deepEqual([TRANSACTION.begin.type, TRANSACTION.end.type], [0x10, 0x11]);
  assert.deepEqual([TRANSACTION.begin.body, TRANSACTION.end.body], [bracket, bracket]);
});

test("setTypes() leaves out sets of prefixes", () => {
  assert.deepEqual([...setTypes(SOURCE_FRAME).keys()], ["own4", "own6"]);
  const frame = natFrame({ kind: "table", address: undefined, ports: undefined });
  assert.deepEqual([...setTypes(frame).keys()], ["hosts4", "hosts6"]);
});
