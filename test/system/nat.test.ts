// SPDX-License-Identifier: Apache-2.0
// Outgoing translation on a real kernel: which packets leave with the node's address, and which with their own.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Fact } from "../../src/desired/facts.ts";
import type { Ip } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { eventually, eventuallyEqual } from "./harness.ts";
import {
  A,
  B,
  HOST,
  HOST6,
  IN_OTHER_POOL,
  OTHER_OUTSIDE,
  OTHER_POOL,
  OUTSIDE,
  OUTSIDE6,
  POOL,
  POOL6,
  type WorkloadNode,
  createWorkloadNode,
  nodeFact,
  poolFact,
  settingsFact,
} from "./workload-harness.ts";

const TRANSLATED = poolFact("default", POOL, true);
const PLAIN = poolFact("default", POOL, false);

async function startedWith(...facts: readonly Fact[]): Promise<WorkloadNode> {
  const node = await createWorkloadNode({ recorded: "margay-nat" });
  node.learn(...facts);
  await node.start();
  await node.settled();
  return node;
}

interface Sender {
  readonly address: string;
  readonly port: number;
}

/** Sends from container A, and tells whom the receiver saw. */
async function senderSeen(
  node: WorkloadNode,
  to: Ip,
  {
    at = "outside",
    from = A.ip,
    sourcePort = 0,
  }: { at?: "outside" | "b"; from?: Ip; sourcePort?: number } = {},
): Promise<Sender> {
  await using receiver = await node.receive(at, "senders");
  node.send("a", { from, to, text: "seen", sourcePort });
  node.send("a", { from, to, text: "last" });
  const [first = ""] = await receiver.until("last");
  const [address = "", port = ""] = first.split(" ");
  return { address, port: Number(port) };
}

/** The table without what it has counted; nothing where it is not there. */
function table(node: WorkloadNode): string {
  if (!node.run("host", "nft", "list", "tables").includes("margay-nat")) return "";
  return node.run("host", "nft", "-s", "list", "table", "inet", "margay-nat").replaceAll(/\s+/g, " ");
}

describe("a packet of a container", () => {
  it("leaves with the node's address for what is in no pool, if its pool says so", async () => {
    await using node = await startedWith(TRANSLATED);
    assert.equal((await senderSeen(node, OUTSIDE)).address, HOST);
  });

  it("leaves with its own if its pool does not", async () => {
    await using node = await startedWith(PLAIN, poolFact("other", OTHER_POOL, true));
    assert.equal((await senderSeen(node, OUTSIDE)).address, A.ip);
  });

  it("keeps its own between containers, and to what is in any pool, also one that gives out no addresses", async () => {
    await using node = await startedWith(TRANSLATED, poolFact("other", OTHER_POOL, false));
    assert.equal((await senderSeen(node, B.ip, { at: "b" })).address, A.ip);
    assert.equal((await senderSeen(node, IN_OTHER_POOL)).address, A.ip);
  });

  it("keeps its own to nodes where they are spared, and only to them", async () => {
    const sparing = settingsFact({ natSparesHosts: true });
    await using node = await startedWith(TRANSLATED, nodeFact("host2", OUTSIDE), sparing);
    assert.equal((await senderSeen(node, OUTSIDE)).address, A.ip);
    assert.equal((await senderSeen(node, OTHER_OUTSIDE)).address, HOST);
    node.learn(settingsFact({}));
    await node.settled();
    assert.equal((await senderSeen(node, OUTSIDE)).address, HOST);
  });

  it("gets the address and a port that are asked for", async () => {
    const address = parseIpv4("192.168.0.200");
    await using node = await startedWith(
      TRANSLATED,
      settingsFact({ natAddress: address, natPorts: [41_000, 41_009] }),
    );
    const seen = await senderSeen(node, OUTSIDE);
    assert.equal(seen.address, address);
    assert.ok(seen.port >= 41_000 && seen.port <= 41_009, String(seen.port));
  });

  it("of IPv6 leaves with the node's too", async () => {
    await using node = await startedWith(TRANSLATED, poolFact("six", POOL6, true));
    assert.equal((await senderSeen(node, OUTSIDE6, { from: A.ip6 })).address, HOST6);
  });
});

describe("a flow under way", () => {
  const PORT = 5353;
  const seen = (node: WorkloadNode): Promise<Sender> => senderSeen(node, OUTSIDE, { sourcePort: PORT });

  it("goes on as it began when its pool's setting changes and others' stay", async () => {
    await using node = await startedWith(PLAIN, poolFact("other", OTHER_POOL, true));
    assert.equal((await seen(node)).address, A.ip);
    node.learn(TRANSLATED);
    await node.settled();
    assert.equal((await seen(node)).address, A.ip);
    assert.equal((await senderSeen(node, OUTSIDE)).address, HOST);
  });

  it("stays translated when its pool's setting is taken back and others' stay", async () => {
    await using node = await startedWith(TRANSLATED, poolFact("other", OTHER_POOL, true));
    const before = await seen(node);
    assert.equal(before.address, HOST);
    node.learn(PLAIN);
    await node.settled();
    assert.deepEqual(await seen(node), before);
    assert.equal((await senderSeen(node, OUTSIDE)).address, A.ip);
  });

  it("stays translated when the table is made anew", async () => {
    await using node = await startedWith(TRANSLATED);
    const before = await seen(node);
    node.learn(settingsFact({ natPorts: [41_000, 41_009] }));
    await node.settled();
    assert.match(table(node), /41000-41009/);
    assert.deepEqual(await seen(node), before);
  });

  it("is translated no more when no pool asks for it any more", async () => {
    await using node = await startedWith(TRANSLATED);
    assert.equal((await seen(node)).address, HOST);
    node.learn(PLAIN);
    await node.settled();
    assert.equal(table(node), "");
    assert.equal((await seen(node)).address, A.ip);
  });
});

describe("the table of translation", () => {
  it("is not there as long as no pool asks for it, nor is connection tracking", async () => {
    await using node = await startedWith(PLAIN);
    assert.equal(table(node), "");
    assert.deepEqual(node.transactions, []);
    node.learn(TRANSLATED);
    await node.settled();
    assert.match(table(node), /elements = { 10\.1\.0\.0\/16 }/);
    node.learn(PLAIN);
    await node.settled();
    await eventuallyEqual(() => Promise.resolve(table(node)), "");
  });

  it("takes pools that touch, hold one another, or have one address", async () => {
    const pools = [
      "10.1.0.0/17",
      "10.1.128.0/17",
      "10.1.1.0/24",
      "10.3.0.1/32",
      "fd00:1::/48",
      "fd00:1:0:1::/64",
    ];
    await using node = await startedWith(...pools.map((cidr, i) => poolFact(`pool${i}`, cidr, true)));
    const held = /elements = { 10\.1\.0\.0\/17, 10\.1\.128\.0\/17, 10\.3\.0\.1 }/g;
    assert.equal(table(node).match(held)?.length, 2);
    assert.equal(table(node).match(/elements = { fd00:1::\/48 }/g)?.length, 2);
    node.learn({ kind: "pool", name: "pool0", value: undefined });
    await node.settled();
    assert.match(table(node), /elements = { 10\.1\.1\.0\/24, 10\.1\.128\.0\/17, 10\.3\.0\.1 }/);
    assert.equal(node.transactions.length, 2);
    await node.restart();
    await node.settled();
    assert.equal(node.transactions.length, 2);
  });

  it("has one element more for a node that is spared, and for no other", async () => {
    await using node = await startedWith(TRANSLATED, settingsFact({ natSparesHosts: true }));
    node.learn(nodeFact("host2", OUTSIDE, OUTSIDE6));
    await node.settled();
    assert.deepEqual(node.transactions.slice(1), [
      `add element inet margay-nat hosts4 { ${OUTSIDE} }\nadd element inet margay-nat hosts6 { ${OUTSIDE6} }\n`,
    ]);
  });

  for (const [what, ...damage] of [
    ["all rules flushed", "flush", "ruleset"],
    ["the chain flushed", "flush", "chain", "inet", "margay-nat", "outgoing"],
    ["a pool removed", "delete", "element", "inet", "margay-nat", "pools4", `{ ${POOL} }`],
    ["a pool added", "add", "element", "inet", "margay-nat", "translated4", `{ ${OTHER_POOL} }`],
    ["a node added", "add", "element", "inet", "margay-nat", "hosts4", `{ ${OUTSIDE} }`],
  ] as const) {
    it(`is repaired by event with ${what}`, async () => {
      await using node = await startedWith(TRANSLATED);
      const before = table(node);
      node.run("host", "nft", ...damage);
      await eventuallyEqual(() => Promise.resolve(table(node)), before);
      await node.settled();
    });
  }

  it("of an earlier agent is removed where no pool wants it any more", async () => {
    await using node = await startedWith(TRANSLATED);
    await node.stop();
    node.learn(PLAIN);
    await node.restart();
    await eventually(() => Promise.resolve(table(node) === ""), "no table");
  });
});
