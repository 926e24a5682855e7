// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeProcesses } from "../../system/process.ts";
import { judgeChain, readForwardChains } from "./firewall.ts";

const CHAIN = { family: "inet", table: "fw", name: "forward", policy: "accept" };
const fromContainers = (side: string, name = "cali*"): object => ({
  match: { op: "==", left: { meta: { key: side } }, right: name },
});
type Rule = Parameters<typeof judgeChain>[1][number];
const DROP: Rule = [{ counter: { packets: 1, bytes: 60 } }, { drop: null }];
const ACCEPT_SOME: Rule = [fromContainers("iifname", "docker0") as Rule[number], { accept: null }];
const ACCEPT_OURS: readonly Rule[] = ["iifname", "oifname"].map((side) => [
  fromContainers(side) as Rule[number],
  { accept: null },
]);

describe("a chain of the forward hook", () => {
  const rows: readonly (readonly [string, string, readonly Rule[], readonly boolean[]])[] = [
    ["lets all pass", "accept", [], [false, false, false]],
    ["drops all by its policy", "drop", [], [true, false, false]],
    ["drops all by a rule", "accept", [DROP], [true, false, false]],
    ["drops what no rule accepts", "drop", [ACCEPT_SOME], [true, false, true]],
    ["accepts containers' packets and drops others", "drop", ACCEPT_OURS, [true, true, true]],
    ["accepts them too late", "drop", [DROP, ...ACCEPT_OURS], [true, false, false]],
    ["accepts what comes from containers alone", "drop", ACCEPT_OURS.slice(0, 1), [true, false, true]],
    [
      "drops what comes from one interface",
      "accept",
      [[...ACCEPT_SOME.slice(0, 1), { drop: null }]],
      [false, false, false],
    ],
  ];
  for (const [what, policy, rules, [dropsRest, acceptsContainers, mayAccept]] of rows)
    it(what, () => {
      const { family, table, name } = CHAIN;
      assert.deepEqual(judgeChain({ ...CHAIN, policy }, rules), {
        family,
        table,
        name,
        dropsRest,
        acceptsContainers,
        mayAccept,
      });
    });
});

it("only others' chains of the hook are read, of both IP families", async () => {
  const asked: string[] = [];
  const base = { handle: 1, type: "filter", prio: 0 };
  const chains = [
    { ...base, ...CHAIN, hook: "forward", policy: "drop" },
    { ...base, ...CHAIN, table: "margay-source", hook: "forward" },
    { ...base, ...CHAIN, hook: "input", policy: "drop" },
    { ...base, ...CHAIN, family: "bridge", hook: "forward", policy: "drop" },
    { family: "ip", table: "filter", name: "DOCKER", handle: 2 },
  ];
  const nft = (args: readonly string[]): { stdout: string } => {
    asked.push(args.join(" "));
    const entries =
      args.at(-1) === "chains"
        ? chains.map((chain) => ({ chain }))
        : [
            { chain: chains[0] },
            { rule: { family: "inet", table: "fw", chain: "forward", handle: 3, expr: DROP } },
          ];
    return { stdout: JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, ...entries] }) };
  };
  const processes = createFakeProcesses({ nsenter: nft });
  const { signal } = new AbortController();
  const found = await readForwardChains({ processes, nft: ["nsenter", "--net=/n", "nft"] }, { signal });
  assert.deepEqual(asked, ["--net=/n nft -j list chains", "--net=/n nft -j list chain inet fw forward"]);
  assert.deepEqual(
    found.map(({ table, dropsRest, mayAccept }) => [table, dropsRest, mayAccept]),
    [["fw", true, false]],
  );
  const refuse = createFakeProcesses({ nft: () => ({ code: 1, stderr: "Operation not permitted\n" }) });
  await assert.rejects(
    readForwardChains({ processes: refuse, nft: ["nft"] }, { signal }),
    /Operation not permitted/,
  );
});
