// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { GUARD_FRAME } from "../guard-table.ts";
import { type NftElement, type NftFrame, type NftStatement, renderTransaction } from "./statement.ts";

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
  [{ kind: "deleteTable" }, ["delete table ip margay"]],
  [
    { kind: "addElement", element: element("nodes", "192.168.0.1") },
    ["add element ip margay nodes { 192.168.0.1 }"],
  ],
  [
    { kind: "addElement", element: element("ports", "4789", "vxlan.calico") },
    ['add element ip margay ports { 4789 comment "vxlan.calico" }'],
  ],
  // An element is known by its value; to delete one by a comment is an error of syntax.
  [
    { kind: "deleteElement", element: element("ports", "4789", "vxlan.calico") },
    ["delete element ip margay ports { 4789 }"],
  ],
];

for (const [statement, lines] of ROWS)
  test(`renderTransaction() says ${lines[0]}`, () => {
    assert.equal(renderTransaction([statement]), lines.map((line) => `${line}\n`).join(""));
  });

test("renderTransaction() keeps the order of statements", () => {
  const all = ROWS.map(([statement]) => statement);
  const lines = ROWS.flatMap(([, text]) => text);
  assert.equal(renderTransaction(all), `${lines.join("\n")}\n`);
});

const rule = (chain: string, set: string): NftFrame => [
  { kind: "rule", chain, matches: [{ field: "ip saddr", isIn: true, set }] },
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
  "a prefix": { kind: "addElement", element: element("nodes", "10.0.0.0/8") },
  "a comment with a quote": { kind: "addElement", element: element("nodes", "1.2.3.4", 'a" }') },
  "a comment with a line end": { kind: "addElement", element: element("nodes", "1.2.3.4", "a\nb") },
  "a chain with another command": { kind: "replaceTable", frame: rule("x; y", "nodes") },
  "a set in a rule with another command": { kind: "replaceTable", frame: rule("x", "nodes accept") },
  "a priority that is no number": {
    kind: "replaceTable",
    frame: [{ kind: "chain", name: "x", priority: NaN }],
  },
};

for (const [what, statement] of Object.entries(REFUSED))
  test(`renderTransaction() refuses ${what}`, () => {
    assert.throws(() => renderTransaction([statement]), SyntaxError);
  });
