// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { GUARD_FRAME, isGuardFrame } from "../guard-table.ts";
import { parseListing } from "./listing.ts";
import { NftError } from "./nft-error.ts";

type Listed = Record<string, object>;

const ours = { family: "ip", table: "margay" };
const match = (op: string, protocol: string, field: string, set: string): object => ({
  match: { op, left: { payload: { protocol, field } }, right: set },
});
const fromStranger = match("!=", "ip", "saddr", "@nodes");

/** As nft 1.0.6 prints it. */
const TABLE: Listed = { table: { family: "ip", name: "margay", handle: 2 } };
const NODES: Listed = {
  set: { ...ours, name: "nodes", type: "ipv4_addr", handle: 1, elem: ["192.168.0.101", "192.168.0.102"] },
};
const PROTOCOLS: Listed = {
  set: { ...ours, name: "protocols", type: "inet_proto", handle: 2, stmt: [{ counter: null }] },
};
const PORTS: Listed = {
  set: {
    ...ours,
    name: "ports",
    type: "inet_service",
    handle: 3,
    elem: [{ elem: { val: 4789, comment: "vxlan.calico", counter: { packets: 7, bytes: 512 } } }],
    stmt: [{ counter: null }],
  },
};
const CHAIN: Listed = {
  chain: {
    ...ours,
    name: "strangers",
    handle: 4,
    type: "filter",
    hook: "input",
    prio: -300,
    policy: "accept",
  },
};
const RULES: readonly Listed[] = [
  match("==", "ip", "protocol", "@protocols"),
  match("==", "udp", "dport", "@ports"),
].map((second, index) => ({
  rule: { ...ours, chain: "strangers", handle: 5 + index, expr: [fromStranger, second, { drop: null }] },
}));
const WHOLE = [TABLE, NODES, PROTOCOLS, PORTS, CHAIN, ...RULES];

const listed = (objects: readonly Listed[]): string =>
  JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6", json_schema_version: 1 } }, ...objects] });

test("parseListing() gives back what was made", () => {
  const { frame, elements } = parseListing(listed(WHOLE));
  assert.deepEqual(frame, GUARD_FRAME);
  assert.ok(isGuardFrame(frame));
  assert.deepEqual(elements, [
    { kind: "element", set: "nodes", value: "192.168.0.101" },
    { kind: "element", set: "nodes", value: "192.168.0.102" },
    { kind: "element", set: "ports", value: "4789" },
  ]);
});

const changed = (object: Listed, change: object): Listed =>
  Object.fromEntries(Object.entries(object).map(([kind, fields]) => [kind, { ...fields, ...change }]));
const DIFFERENT: Readonly<Record<string, readonly Listed[]>> = {
  "an empty table": [TABLE],
  "a table that sleeps": [changed(TABLE, { flags: "dormant" }), ...WHOLE.slice(1)],
  "a set less": WHOLE.filter((object) => object !== PORTS),
  "a set more": [...WHOLE, { set: { ...ours, name: "more", type: "ipv4_addr", handle: 9 } }],
  "a set of another type": WHOLE.map((object) =>
    object === NODES ? changed(NODES, { type: "ether_addr" }) : object,
  ),
  "a set whose elements end": WHOLE.map((object) =>
    object === NODES ? changed(NODES, { flags: ["timeout"] }) : object,
  ),
  "a set of ranges": WHOLE.map((object) =>
    object === NODES ? changed(NODES, { elem: [{ range: ["10.0.0.1", "10.0.0.9"] }] }) : object,
  ),
  "a set that does not count": WHOLE.map((object) =>
    object === PORTS ? changed(PORTS, { stmt: undefined }) : object,
  ),
  "a chain elsewhere": WHOLE.map((object) =>
    object === CHAIN ? changed(CHAIN, { hook: "forward" }) : object,
  ),
  "a chain that drops": WHOLE.map((object) =>
    object === CHAIN ? changed(CHAIN, { policy: "drop" }) : object,
  ),
  "a chain at another priority": WHOLE.map((object) =>
    object === CHAIN ? changed(CHAIN, { prio: 0 }) : object,
  ),
  "a rule less": WHOLE.slice(0, -1),
  "rules in another order": [...WHOLE.slice(0, -2), ...RULES.toReversed()],
  "a rule that accepts": WHOLE.map((object) =>
    object === RULES[0] ? changed(object, { expr: [{ accept: null }] }) : object,
  ),
  "a rule on another field": WHOLE.map((object) =>
    object === RULES[0]
      ? changed(object, { expr: [match("!=", "ip", "daddr", "@nodes"), fromStranger, { drop: null }] })
      : object,
  ),
  "a map": [...WHOLE, { map: { ...ours, name: "more", type: "ipv4_addr", map: "verdict" } }],
};

for (const [what, objects] of Object.entries(DIFFERENT))
  test(`parseListing() tells ${what} from what was made`, () => {
    assert.equal(isGuardFrame(parseListing(listed(objects)).frame), false);
  });

for (const text of ["", "{", "null", "[]", '{"nftables": {}}', '{"error": []}'])
  test(`parseListing() throws for "${text}"`, () => {
    assert.throws(
      () => parseListing(text),
      (error) => error instanceof NftError && error.code === "unreadable",
    );
  });
