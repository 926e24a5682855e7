// SPDX-License-Identifier: Apache-2.0
// Rules of nftables on the destination's node that drop a probe or its answer: each trace names the rule, and nothing stays of the search.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import type { Trace } from "../../src/trace/trace.ts";
import { type Lab, MARGAY, createLab, eventually, killAgent } from "./harness.ts";
import {
  type TraceOptions,
  type Way,
  leftOf,
  setWay,
  traceOf,
  traceOnNode,
  traceWithOther,
} from "./trace-harness.ts";

const DUAL_STACK = new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url).pathname;
const ETCD = new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url).pathname;

interface Drop {
  readonly what: string;
  readonly hook: "forward" | "input";
  /** Of the rule; absent where it is the chain's policy that drops. */
  readonly rule?: string;
  readonly direction: "there" | "back";
  readonly options?: TraceOptions;
  /** Whether it is the packet of a tunnel that is dropped. */
  readonly isAround?: boolean;
}

const REQUEST: Drop = {
  what: "the request",
  hook: "forward",
  rule: "icmp type echo-request drop",
  direction: "there",
};
const REPLY: Drop = {
  what: "the reply",
  hook: "forward",
  rule: "icmp type echo-reply drop",
  direction: "back",
};

const IN_A_TUNNEL: Readonly<Partial<Record<Way, readonly Drop[]>>> = {
  BGP: [
    REQUEST,
    REPLY,
    { what: "whatever no rule accepts", hook: "forward", direction: "there" },
    {
      what: "a datagram",
      hook: "forward",
      rule: "udp dport 4242 drop",
      direction: "there",
      options: { proto: "udp", port: 4242 },
    },
    {
      what: "the error that answers a datagram",
      hook: "forward",
      rule: "icmp code port-unreachable drop",
      direction: "back",
      options: { proto: "udp", port: 4242 },
    },
    {
      what: "a SYN",
      hook: "forward",
      rule: "tcp dport 4242 drop",
      direction: "there",
      options: { proto: "tcp", port: 4242 },
    },
    {
      what: "a request of IPv6",
      hook: "forward",
      rule: "icmpv6 type echo-request drop",
      direction: "there",
      options: { family: 6 },
    },
  ],
  IPIP: [REQUEST, REPLY],
  VXLAN: [
    REQUEST,
    REPLY,
    {
      what: "the packet around the request",
      hook: "input",
      rule: "udp dport 4789 drop",
      direction: "there",
      isAround: true,
    },
    {
      what: "the packet around a request of IPv6",
      hook: "input",
      rule: "udp dport 4789 drop",
      direction: "there",
      options: { family: 6 },
      isAround: true,
    },
  ],
};

/** Whoever runs host2 has such a firewall while `work` runs. */
async function withFirewall<T>(lab: Lab, { hook, rule }: Drop, work: () => Promise<T>): Promise<T> {
  const policy = rule === undefined ? "drop" : "accept";
  const chain = `chain f { type filter hook ${hook} priority 0; policy ${policy}; ${rule ?? ""}; }`;
  await lab.exec("host2", "nft", `table inet other { ${chain}; }`);
  try {
    return await work();
  } finally {
    await lab.exec("host2", "nft", "delete table inet other");
  }
}

function assertNamed({ fault, steps }: Trace, { rule, direction, isAround = false }: Drop): void {
  assert.deepEqual(
    [fault?.cause, fault?.station, fault?.direction],
    ["dropped", "host2", direction],
    fault?.text,
  );
  const [step] = steps.filter((one) => one.fact.kind === "dropped");
  assert.deepEqual([step?.station, step?.direction], ["host2", direction], fault?.text);
  assert.deepEqual(step?.fact, {
    kind: "dropped",
    table: "inet other",
    chain: "f",
    rule: rule ?? null,
    isAround,
  });
  assert.match(
    fault?.text ?? "",
    /nftables drops (it|the outer packet) there, by the (rule ".*"|policy) of chain "f" in table "inet other"/,
  );
}

/** Tables of nftables on host2 that are of a search. */
async function searchesOn(lab: Lab): Promise<readonly string[]> {
  const tables = (await lab.exec("host2", "nft", "list", "tables")).trim().split("\n");
  return tables.filter((table) => table.includes("margay-trace"));
}

/** Names of the programs that run on host2; those that end meanwhile do not count. */
const PROGRAMS =
  "for pid in $(ip netns pids $(ip netns identify)); do cat /proc/$pid/comm; done 2>/dev/null; true";

async function programsOn(lab: Lab): Promise<number> {
  const names = (await lab.exec("host2", "sh", "-c", PROGRAMS)).split("\n");
  return names.filter((name) => name === "nft").length;
}

async function assertNothingLeft(lab: Lab): Promise<void> {
  await eventually(async () => (await searchesOn(lab)).length === 0, "no table of the search");
  await eventually(async () => (await programsOn(lab)) === 0, "no nft of the search");
  await eventually(async () => (await leftOf(lab)).length === 0, "no request");
}

describe("a trace in a lab names the rule on the destination's host that drops", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ routeSource: "datastore", topology: DUAL_STACK });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  for (const [way, drops] of Object.entries(IN_A_TUNNEL) as readonly (readonly [Way, readonly Drop[]])[])
    describe(`by way of ${way}`, () => {
      before(() => setWay(lab, way));
      for (const drop of drops)
        it(drop.what, async () => {
          assertNamed(await withFirewall(lab, drop, () => traceOf(lab, "a", "d", drop.options)), drop);
          await assertNothingLeft(lab);
        });
    });
});

async function assertNamedByAgent(lab: Lab, drop: Drop): Promise<void> {
  const [a, d] = [await lab.address("a"), await lab.address("d")];
  await withFirewall(lab, drop, async () => {
    assertNamed(await traceWithOther(lab, a, d), drop);
  });
  await assertNothingLeft(lab);
}

describe("a trace on a node has the other node's agent name the rule", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab();
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  for (const drop of [REQUEST, REPLY])
    it(`that drops ${drop.what} there, and leaves nothing behind`, () => assertNamedByAgent(lab, drop));

  it("and leaves nothing behind where the asker dies meanwhile", async () => {
    const [a, d] = [await lab.address("a"), await lab.address("d")];
    await withFirewall(lab, REQUEST, async () => {
      const { netns } = await lab.host("host1");
      const command = [MARGAY, "trace", a, d, "--socket", lab.agentSocket("host1")];
      const asker = spawn("ip", ["netns", "exec", netns, ...command], { stdio: "ignore" });
      const ended = once(asker, "exit");
      await eventually(async () => (await searchesOn(lab)).length === 1, "a table of the search");
      asker.kill("SIGKILL");
      await ended;
      await assertNothingLeft(lab);
    });
  });

  it("and leaves nothing behind where the agent dies meanwhile", async () => {
    const [a, d] = [await lab.address("a"), await lab.address("d")];
    await withFirewall(lab, REQUEST, async () => {
      const tracing = traceOnNode(lab, a, d);
      await eventually(async () => (await searchesOn(lab)).length === 1, "a table of the search");
      await killAgent(lab, "host2");
      const { fault } = await tracing;
      assert.deepEqual([fault?.cause, fault?.station], ["dropped", "host2"], fault?.text);
      await assertNothingLeft(lab);
    });
  });
});

it("a trace on a node has the other node's agent name the rule by way of etcd, too", async () => {
  await using lab = await createLab({ topology: ETCD });
  for (const drop of [REQUEST, REPLY]) await assertNamedByAgent(lab, drop);
});
