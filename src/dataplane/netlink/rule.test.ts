// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import type { NetlinkMessage } from "./message.ts";
import { addRule, decodeRule, deleteRule, listRules } from "./rule.ts";
import { truncations, wire } from "./wire.ts";

function message(body: Uint8Array, type = 32): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const RULE = {
  family: 4,
  priority: 99,
  table: 1000,
  fwmark: 0x100000,
  fwmask: 0x100000,
  invert: true,
  protocol: 80,
} as const;
const RULE_WIRE = wire`
  02 00 00 00  // AF_INET
  00 00 00 01  // table in the attribute, FR_ACT_TO_TBL
  02 00 00 00  // FIB_RULE_INVERT
  08 00 06 00  // FRA_PRIORITY
  63 00 00 00
  08 00 0f 00  // FRA_TABLE
  e8 03 00 00
  08 00 0a 00  // FRA_FWMARK
  00 00 10 00
  08 00 10 00  // FRA_FWMASK
  00 00 10 00
  05 00 15 00  // FRA_PROTOCOL
  50 00 00 00
`;

test("a rule is laid out as fib_rule_hdr and attributes", () => {
  assert.deepEqual(addRule(RULE).body, RULE_WIRE);
  assert.deepEqual(deleteRule(RULE).body, RULE_WIRE);
  assert.equal(addRule(RULE).description, "add IPv4 rule 99 for table 1000");
});

test("rules survive encoding and decoding", () => {
  const plain = { family: 6, priority: 5, table: 254, invert: false, protocol: 0 } as const;
  const from = { ...plain, family: 4, src: parseCidr("10.1.0.0/16") } as const;
  const fromOne = { ...plain, src: parseCidr("fd00::1/128") } as const;
  for (const rule of [RULE, plain, from, fromOne])
    assert.deepEqual(decodeRule(message(addRule(rule).body)), rule);
});

test("a rule cut off inside an attribute is malformed", () => {
  const wholeAt = [12, 20, 28, 36, 44, 49, 50, 51];
  for (const body of truncations(RULE_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeRule(message(body)));
    else assert.throws(() => decodeRule(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a rule with a selector or an action that the type lacks is left out rather than half described", () => {
  const extended = (attribute: Uint8Array): NetlinkMessage =>
    message(Uint8Array.of(...RULE_WIRE, ...attribute));
  const patched = (offset: number, value: number): NetlinkMessage => message(RULE_WIRE.with(offset, value));
  assert.deepEqual(decodeRule(extended(wire`08 00 0e 00 ff ff ff ff`)), RULE, "nothing suppressed");
  assert.equal(decodeRule(extended(wire`08 00 0e 00 00 00 00 00`)), undefined, "suppressed prefix length");
  assert.equal(decodeRule(extended(wire`07 00 03 00 6c 6f 00 00`)), undefined, "input interface");
  assert.equal(decodeRule(patched(0, 128)), undefined, "multicast routing");
  assert.equal(decodeRule(patched(1, 8)), undefined, "destination");
  assert.equal(decodeRule(patched(7, 6)), undefined, "blackhole");
  assert.equal(listRules.decode(message(RULE_WIRE, 33)), undefined, "deleted");
});
