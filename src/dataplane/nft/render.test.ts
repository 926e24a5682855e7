// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { GUARD6_FRAME, GUARD_FRAME } from "../guard.ts";
import { natFrame } from "../nat.ts";
import { SOURCE_FRAME } from "../source-check.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { renderTransaction } from "./render.ts";
import type { NftElement, NftFrame, NftStatement, NftTable } from "./statement.ts";

const TABLE: NftTable = { family: "ip", name: "margay" };

const element = (set: string, value: string, comment?: string): NftElement => ({
  kind: "element",
  set,
  value,
  ...(comment !== undefined && { comment }),
});

const ROWS: readonly (readonly [NftStatement, readonly string[]])[] = [
  [
    { kind: "replaceTable", frame: GUARD_FRAME },
    [
      "add table ip margay",
      "delete table ip margay",
      "add table ip margay",
      "add set ip margay nodes { type ipv4_addr; }",
      "add set ip margay protocols { type inet_proto; counter; }",
      "add set ip margay ports { type inet_service; counter; }",
      "add chain ip margay strangers { type filter hook input priority -300; policy accept; }",
      "add rule ip margay strangers ip saddr != @nodes ip protocol @protocols drop",
      "add rule ip margay strangers ip saddr != @nodes udp dport @ports drop",
    ],
  ],
  [
    { kind: "replaceTable", frame: GUARD6_FRAME },
    [
      "add table ip margay",
      "delete table ip margay",
      "add table ip margay",
      "add set ip margay nodes { type ipv6_addr; }",
      "add set ip margay ports { type inet_service; counter; }",
      "add chain ip margay strangers { type filter hook input priority -300; policy accept; }",
      "add rule ip margay strangers ip6 saddr != @nodes udp dport @ports drop",
    ],
  ],
  [{ kind: "deleteTable" }, ["delete table ip margay"]],
  [
    { kind: "addElement", element: element("nodes", "192.168.0.1") },
    ["add element ip margay nodes { 192.168.0.1 }"],
  ],
  [
    { kind: "addElement", element: element("ports", "4789", "vxlan.calico") },
    ['add element ip margay ports { 4789 comment "vxlan.calico" }'],
  ],
  [
    { kind: "addElement", element: element("own4", "cali0123456789a . 10.1.1.2") },
    ['add element ip margay own4 { "cali0123456789a" . 10.1.1.2 }'],
  ],
  [
    { kind: "addElement", element: element("own6", "cali0123456789a . fd00:1::2") },
    ['add element ip margay own6 { "cali0123456789a" . fd00:1::2 }'],
  ],
  [
    { kind: "addElement", element: element("pools6", "fd00::/48") },
    ["add element ip margay pools6 { fd00::/48 }"],
  ],
  // An element is known by its value; to delete one by a comment is an error of syntax.
  [
    { kind: "deleteElement", element: element("ports", "4789", "vxlan.calico") },
    ["delete element ip margay ports { 4789 }"],
  ],
];

for (const [statement, lines] of ROWS)
  test(`renderTransaction() says ${lines[0]}`, () => {
    assert.equal(
      renderTransaction({ table: TABLE, statements: [statement] }),
      lines.map((line) => `${line}\n`).join(""),
    );
  });

const rulesOf = (frame: NftFrame): readonly string[] => {
  const text = renderTransaction({ table: TABLE, statements: [{ kind: "replaceTable", frame }] });
  return [...text.matchAll(/^add rule ip margay (.*)$/gm)].map(([, line = ""]) => line);
};

test("the check of source addresses is one look for each family", () => {
  assert.deepEqual(rulesOf(SOURCE_FRAME), [
    'containers iifname "cali*" iifname . ip saddr != @own4 counter drop',
    'containers iifname "cali*" ip6 saddr fe80::/10 meta l4proto 58 accept',
    'containers iifname "cali*" ip6 saddr :: meta l4proto 58 accept',
    'containers iifname "cali*" iifname . ip6 saddr != @own6 counter drop',
  ]);
});

const TO_OUTSIDE = "outgoing ip saddr @translated4 ip daddr != @pools4 ip daddr != @hosts4";
const TO_OUTSIDE6 = "outgoing ip6 saddr @translated6 ip6 daddr != @pools6 ip6 daddr != @hosts6";

test("outgoing translation is one rule for each family", () => {
  assert.deepEqual(rulesOf(natFrame({ kind: "table", address: undefined, ports: undefined })), [
    `${TO_OUTSIDE} masquerade fully-random`,
    `${TO_OUTSIDE6} masquerade fully-random`,
  ]);
});

test("outgoing translation has an address and ports where they are said", () => {
  const address = parseIpv4("192.0.2.1");
  assert.deepEqual(rulesOf(natFrame({ kind: "table", address, ports: [1000, 1999] })), [
    `${TO_OUTSIDE} meta l4proto 6 snat ip to 192.0.2.1:1000-1999 fully-random`,
    `${TO_OUTSIDE} meta l4proto 17 snat ip to 192.0.2.1:1000-1999 fully-random`,
    `${TO_OUTSIDE} snat ip to 192.0.2.1 fully-random`,
    `${TO_OUTSIDE6} meta l4proto 6 masquerade to :1000-1999 fully-random`,
    `${TO_OUTSIDE6} meta l4proto 17 masquerade to :1000-1999 fully-random`,
    `${TO_OUTSIDE6} masquerade fully-random`,
  ]);
});

test("renderTransaction() keeps the order of statements", () => {
  const all = ROWS.map(([statement]) => statement);
  const lines = ROWS.flatMap(([, text]) => text);
  assert.equal(renderTransaction({ table: TABLE, statements: all }), `${lines.join("\n")}\n`);
});

const rule = (chain: string, set: string): NftFrame => [
  {
    kind: "rule",
    chain,
    matches: [{ field: "ip saddr", isIn: true, set }],
    counter: false,
    verdict: { kind: "drop" },
  },
];
const translating = (address: string): NftFrame => [
  {
    kind: "rule",
    chain: "x",
    matches: [],
    counter: false,
    verdict: { kind: "translate", address, ports: undefined },
  },
];
const REFUSED: Readonly<Record<string, NftStatement>> = {
  "a set with another command": { kind: "addElement", element: element("nodes; flush", "1.2.3.4") },
  "a set of no name": { kind: "addElement", element: element("", "1.2.3.4") },
  "a value that ends the element": {
    kind: "addElement",
    element: element("nodes", "1.2.3.4 }; flush ruleset"),
  },
  "a value with a line end": { kind: "deleteElement", element: element("nodes", "1.2.3.4\n") },
  "a host name, which nft would look up": { kind: "addElement", element: element("nodes", "example.org") },
  "an interface with a quote": { kind: "addElement", element: element("own4", 'a" . 1.2.3.4') },
  "an interface that ends the element": { kind: "addElement", element: element("own4", "a } . 1.2.3.4") },
  "a word in the place of an address": { kind: "addElement", element: element("own4", "cali1 . localhost") },
  "a comment with a quote": { kind: "addElement", element: element("nodes", "1.2.3.4", 'a" }') },
  "a comment with a line end": { kind: "addElement", element: element("nodes", "1.2.3.4", "a\nb") },
  "a chain with another command": { kind: "replaceTable", frame: rule("x; y", "nodes") },
  "a set in a rule with another command": { kind: "replaceTable", frame: rule("x", "nodes accept") },
  "a priority that is no number": {
    kind: "replaceTable",
    frame: [{ kind: "chain", name: "x", type: "filter", hook: "input", priority: NaN }],
  },
  "an address to translate to that is none": { kind: "replaceTable", frame: translating("accept") },
};

for (const [what, statement] of Object.entries(REFUSED))
  test(`renderTransaction() refuses ${what}`, () => {
    assert.throws(() => renderTransaction({ table: TABLE, statements: [statement] }), SyntaxError);
  });
