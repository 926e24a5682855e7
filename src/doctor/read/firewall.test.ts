// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeProcesses } from "../../system/process.ts";
import { judgeChain, readForwardChains } from "./firewall.ts";
import { parseForwardChain } from "./legacy-firewall.ts";

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
      const chain = judgeChain({ ...CHAIN, policy }, rules);
      assert.deepEqual(
        [chain.dropsRest, chain.acceptsContainers, chain.mayAccept],
        [dropsRest, acceptsContainers, mayAccept],
      );
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
  const rule = { family: "inet", table: "fw", chain: "forward", handle: 3, expr: DROP };
  const processes = createFakeProcesses({
    nft: (args) => {
      asked.push(args.join(" "));
      const entries =
        args.at(-1) === "chains" ? chains.map((chain) => ({ chain })) : [{ chain: chains[0] }, { rule }];
      return { stdout: JSON.stringify({ nftables: [{ metainfo: { version: "1.0.6" } }, ...entries] }) };
    },
  });
  const found = await readForwardChains((program, args) => processes.run(program, args));
  assert.deepEqual(asked, ["-j list chains", "-j list chain inet fw forward"]);
  assert.deepEqual(found, [
    {
      name: "inet fw forward",
      dropsRest: true,
      acceptsContainers: false,
      mayAccept: false,
      letPass: [
        `nft insert rule inet fw forward iifname '"cali*"' accept`,
        `nft insert rule inet fw forward oifname '"cali*"' accept`,
      ],
    },
  ]);
  const refuse = createFakeProcesses({ nft: () => ({ code: 1, stderr: "Operation not permitted\n" }) });
  await assert.rejects(
    readForwardChains((program, args) => refuse.run(program, args)),
    /Operation not permitted/,
  );
});

it("the chain of an iptables from before nftables is read as well", () => {
  const saved = (policy: string, ...rules: readonly string[]): string =>
    [
      "*nat",
      ":PREROUTING ACCEPT [0:0]",
      "COMMIT",
      "*filter",
      ":INPUT ACCEPT [0:0]",
      `:FORWARD ${policy} [3:252]`,
      "-A INPUT -j DROP",
      ...rules.map((rule) => `-A FORWARD ${rule}`),
      "COMMIT",
      "",
    ].join("\n");
  const read = (policy: string, ...rules: readonly string[]): readonly boolean[] => {
    const chain = parseForwardChain("iptables-legacy", saved(policy, ...rules)) ?? assert.fail();
    return [chain.dropsRest, chain.acceptsContainers, chain.mayAccept];
  };
  const ours = ["-i cali+ -j ACCEPT", "-o cali+ -j ACCEPT"];
  assert.deepEqual(read("ACCEPT"), [false, false, false]);
  assert.deepEqual(read("DROP"), [true, false, false]);
  assert.deepEqual(read("DROP", ...ours), [true, true, true]);
  assert.deepEqual(read("DROP", "-j DOCKER-USER"), [true, false, true]);
  assert.deepEqual(read("ACCEPT", "-j LOG", "-j REJECT --reject-with icmp-port-unreachable", ...ours), [
    true,
    false,
    false,
  ]);
  assert.equal(parseForwardChain("iptables-legacy", "*nat\nCOMMIT\n"), undefined);
});
