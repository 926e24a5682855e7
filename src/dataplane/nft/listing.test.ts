// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { GUARD_FRAME } from "../guard.ts";
import { natFrame } from "../nat.ts";
import { SOURCE_FRAME } from "../source-check.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { type NftListing, parseListing } from "./listing.ts";
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

const parse = (text: string): NftListing => parseListing({ family: "ip", name: "margay" }, text);
/** As tables are compared: text, so that the order of fields counts too. */
const isGuardFrame = (frame: NftListing["frame"]): boolean =>
  JSON.stringify(frame) === JSON.stringify(GUARD_FRAME);

test("parseListing() gives back what was made", () => {
  const { frame, elements } = parse(listed(WHOLE));
  assert.deepEqual(frame, GUARD_FRAME);
  assert.ok(isGuardFrame(frame));
  assert.deepEqual(elements, [
    { kind: "element", set: "nodes", value: "192.168.0.101" },
    { kind: "element", set: "nodes", value: "192.168.0.102" },
    { kind: "element", set: "ports", value: "4789" },
  ]);
});

/** As nft 1.0.6 prints them, but for the fields that are not read. */
const own = (version: 4 | 6, ...elem: readonly object[]): Listed => ({
  set: { name: `own${version}`, type: ["ifname", `ipv${version}_addr`], elem },
});
const rule = (chain: string, ...expr: readonly object[]): Listed => ({ rule: { chain, expr } });
const compare = (op: string, left: object, right: unknown): object => ({ match: { op, left, right } });
const meta = (key: string): object => ({ meta: { key } });
const field = (protocol: string, name: string): object => ({ payload: { protocol, field: name } });
const FROM_CONTAINER = compare("==", meta("iifname"), "cali*");
const ICMPV6 = compare("==", meta("l4proto"), 58);
const notOwn = (protocol: string, set: string): object =>
  compare("!=", { concat: [meta("iifname"), field(protocol, "saddr")] }, set);
const COUNTED_DROP = [{ counter: { packets: 3, bytes: 252 } }, { drop: null }];
const SOURCE: readonly Listed[] = [
  own(4, { concat: ["cali0123456789a", "10.1.1.2"] }),
  own(6, { elem: { val: { concat: ["cali0123456789a", "fd00::1.2.3.4"] }, comment: "a" } }),
  { chain: { name: "containers", type: "filter", hook: "prerouting", prio: -300, policy: "accept" } },
  rule("containers", FROM_CONTAINER, notOwn("ip", "@own4"), ...COUNTED_DROP),
  rule(
    "containers",
    FROM_CONTAINER,
    compare("==", field("ip6", "saddr"), { prefix: { addr: "fe80::", len: 10 } }),
    ICMPV6,
    { accept: null },
  ),
  rule("containers", FROM_CONTAINER, compare("==", field("ip6", "saddr"), "::"), ICMPV6, { accept: null }),
  rule("containers", FROM_CONTAINER, notOwn("ip6", "@own6"), ...COUNTED_DROP),
];

test("parseListing() gives back the check of source addresses", () => {
  const { frame, elements } = parse(listed(SOURCE));
  assert.equal(JSON.stringify(frame), JSON.stringify(SOURCE_FRAME));
  assert.deepEqual(
    elements.map(({ set, value }) => [set, value]),
    [
      ["own4", "cali0123456789a . 10.1.1.2"],
      ["own6", "cali0123456789a . fd00::102:304"],
    ],
  );
});

const natSets = (version: 4 | 6): readonly Listed[] => {
  const type = `ipv${version}_addr`;
  return [
    { set: { name: `translated${version}`, type, flags: ["interval"] } },
    { set: { name: `pools${version}`, type, flags: ["interval"], elem: poolElements(version) } },
    { set: { name: `hosts${version}`, type } },
  ];
};
const poolElements = (version: 4 | 6): readonly unknown[] =>
  version === 4 ? [{ prefix: { addr: "10.1.0.0", len: 16 } }, "10.2.0.1"] : [];
const outgoing = (protocol: string, version: 4 | 6, ...rest: readonly object[]): Listed =>
  rule(
    "outgoing",
    compare("==", field(protocol, "saddr"), `@translated${version}`),
    compare("!=", field(protocol, "daddr"), `@pools${version}`),
    compare("!=", field(protocol, "daddr"), `@hosts${version}`),
    ...rest,
  );
const PORTS_RANGE = { port: { range: [1000, 1999] } };
const snat = (more: object): object => ({
  snat: { family: "ip", addr: "192.0.2.1", ...more, flags: "fully-random" },
});
const OUTGOING: readonly Listed[] = [
  ...natSets(4),
  ...natSets(6),
  { chain: { name: "outgoing", type: "nat", hook: "postrouting", prio: 100, policy: "accept" } },
  ...[6, 17].map((l4) => outgoing("ip", 4, compare("==", meta("l4proto"), l4), snat(PORTS_RANGE))),
  outgoing("ip", 4, snat({})),
  ...[6, 17].map((l4) =>
    outgoing("ip6", 6, compare("==", meta("l4proto"), l4), {
      masquerade: { ...PORTS_RANGE, flags: "fully-random" },
    }),
  ),
  // Newer versions of nft print a list.
  outgoing("ip6", 6, { masquerade: { flags: ["fully-random"] } }),
];

test("parseListing() gives back outgoing translation", () => {
  const { frame, elements } = parse(listed(OUTGOING));
  const wanted = natFrame({ kind: "table", address: parseIpv4("192.0.2.1"), ports: [1000, 1999] });
  assert.equal(JSON.stringify(frame), JSON.stringify(wanted));
  assert.deepEqual(
    elements.map(({ value }) => value),
    ["10.1.0.0/16", "10.2.0.1"],
  );
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
    assert.equal(isGuardFrame(parse(listed(objects)).frame), false);
  });

for (const text of ["", "{", "null", "[]", '{"nftables": {}}', '{"error": []}'])
  test(`parseListing() throws for "${text}"`, () => {
    assert.throws(
      () => parse(text),
      (error) => error instanceof NftError && error.code === "unreadable",
    );
  });
