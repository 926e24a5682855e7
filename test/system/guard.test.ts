// SPDX-License-Identifier: Apache-2.0
// The guard of tunnels on a real kernel: forged packets, and what others do to its table.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Fact } from "../../src/desired/facts.ts";
import { DEFAULT_SETTINGS } from "../../src/desired/facts.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";
import {
  CONTAINER,
  END_MAC,
  FAR,
  type GuardedNode,
  HOST,
  OTHER,
  PORT,
  STRANGER,
  createGuardedNode,
  eventuallyBlocked,
  factsWith,
  nodeFact,
} from "./guard-harness.ts";
import { eventually, eventuallyEqual } from "./harness.ts";
import { udpPacket, vxlanPayload } from "./packet.ts";

const VXLAN_PORT = 4789;

async function withVxlan(...more: readonly Fact[]): Promise<GuardedNode> {
  const node = await createGuardedNode();
  node.learn(...factsWith("vxlan"), ...more);
  await node.start();
  await node.settled();
  return node;
}

/** A frame for the container, as the other node would send it for one of its own. */
function frame(text: string): Buffer {
  return vxlanPayload(4096, END_MAC, udpPacket({ from: FAR, to: CONTAINER, port: PORT, text }));
}

/** How many packets were dropped for the tunnel; the kernel may be at the last of them still. */
function dropped(node: GuardedNode, set: "ports" | "protocols"): Promise<string> {
  const [, packets = ""] =
    / counter packets (\d+)/.exec(node.run("nft", "list", "set", "ip", "margay", set)) ?? [];
  return Promise.resolve(packets);
}

/** The table without what it has counted. */
const table = (node: GuardedNode): string =>
  node.run("nft", "-s", "list", "ruleset").replace(/^table inet margay-source {.*?^}\n/ms, "");
const tableSoon = (node: GuardedNode): Promise<string> => Promise.resolve(table(node));

const GUARDED = `table ip margay {
	set nodes {
		type ipv4_addr
		elements = { 192.168.0.102 }
	}

	set protocols {
		type inet_proto
		counter
	}

	set ports {
		type inet_service
		counter
		elements = { 4789 counter comment "vxlan.calico" }
	}

	chain strangers {
		type filter hook input priority raw; policy accept;
		ip saddr != @nodes ip protocol @protocols drop
		ip saddr != @nodes udp dport @ports drop
	}
}
`;

describe("forged packets of VXLAN", () => {
  it("are dropped and counted from a stranger's address, and the same bytes taken from a node's", async () => {
    await using node = await withVxlan();
    await using received = await node.receive();
    node.send(STRANGER, HOST, VXLAN_PORT, frame("forged"));
    node.send(STRANGER, HOST, VXLAN_PORT, frame("forged"));
    node.send(OTHER, HOST, VXLAN_PORT, frame("forged"));
    node.send(OTHER, HOST, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), ["forged"]);
    await eventuallyEqual(() => dropped(node, "ports"), "2");
  });

  it("are dropped in fragments too", async () => {
    await using node = await withVxlan();
    await using received = await node.receive();
    const large = frame("f".repeat(2000));
    node.send(STRANGER, HOST, VXLAN_PORT, large);
    node.send(OTHER, HOST, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
    await eventuallyEqual(() => dropped(node, "ports"), "1");
  });

  it("would be taken without the guard", async () => {
    await using node = await withVxlan();
    await node.stop();
    node.run("nft", "flush", "ruleset");
    await using received = await node.receive();
    node.send(STRANGER, HOST, VXLAN_PORT, frame("forged"));
    assert.deepEqual(await received.until("forged"), []);
  });

  it("are still dropped when the agent is gone", async () => {
    await using node = await withVxlan();
    await node.stop();
    await using received = await node.receive();
    node.send(STRANGER, HOST, VXLAN_PORT, frame("forged"));
    node.send(OTHER, HOST, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
  });

  it("are dropped from a node that is none any more", async () => {
    await using node = await withVxlan();
    node.learn({ kind: "node", name: "host2", value: undefined });
    await node.settled();
    await using received = await node.receive();
    node.send(OTHER, HOST, VXLAN_PORT, frame("forged"));
    node.learn(nodeFact("host2", OTHER));
    await node.settled();
    node.send(OTHER, HOST, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
    await eventuallyEqual(() => dropped(node, "ports"), "1");
  });
});

describe("the table", () => {
  it("holds the other nodes and what is guarded, and leaves other ports alone", async () => {
    await using node = await withVxlan();
    assert.equal(table(node), GUARDED);
  });

  it("has one element more for a node more, and all in one transaction at the start", async () => {
    const nodes = Array.from({ length: 200 }, (_, i) => nodeFact(`far${i}`, farAddress(i)));
    await using node = await withVxlan(...nodes);
    assert.equal(node.transactions.length, 1);
    node.learn(nodeFact("host3", STRANGER));
    await node.settled();
    assert.deepEqual(node.transactions.slice(1), ["add element ip margay nodes { 192.168.0.66 }\n"]);
    node.learn({ kind: "node", name: "host3", value: undefined });
    await node.settled();
    assert.deepEqual(node.transactions.slice(2), ["delete element ip margay nodes { 192.168.0.66 }\n"]);
  });

  it("guards the new port before the device has it, and the old one no longer than that", async () => {
    await using node = await withVxlan();
    node.learn({
      kind: "settings",
      value: { ...DEFAULT_SETTINGS, routeSource: "datastore", vxlanPort: 8472 },
    });
    await node.settled();
    await eventuallyEqual(() => tableSoon(node), GUARDED.replace("4789", "8472"));
    assert.match(node.run("ip", "-d", "link", "show", "vxlan.calico"), /dstport 8472/);
  });

  it("goes with the last tunnel, and leaves other tables alone", async () => {
    await using node = await withVxlan();
    node.run("nft", "add", "table", "ip", "foreign");
    node.learn({ kind: "vxlanEnd", value: undefined });
    await node.settled();
    await eventuallyEqual(() => tableSoon(node), "table ip foreign {\n}\n");
  });

  for (const [what, ...damage] of [
    ["all rules flushed", "flush", "ruleset"],
    ["the table deleted", "delete", "table", "ip", "margay"],
    ["the chain flushed", "flush", "chain", "ip", "margay", "strangers"],
    ["a node removed", "delete", "element", "ip", "margay", "nodes", "{ 192.168.0.102 }"],
    ["all nodes removed", "flush", "set", "ip", "margay", "nodes"],
    ["a stranger added", "add", "element", "ip", "margay", "nodes", "{ 192.168.0.66 }"],
    ["a rule added", "insert", "rule", "ip", "margay", "strangers", "accept"],
    ["a set added", "add", "set", "ip", "margay", "more", "{ type ipv4_addr; }"],
    ["it put to sleep", "add", "table", "ip", "margay", "{ flags dormant; }"],
  ] as const) {
    it(`is repaired by event with ${what}`, async () => {
      await using node = await withVxlan();
      node.run("nft", ...damage);
      await eventuallyEqual(() => tableSoon(node), GUARDED);
      await node.settled();
    });
  }

  it("is repaired as often as it is damaged", async () => {
    await using node = await withVxlan();
    for (let i = 0; i < 5; i++) node.run("nft", "flush", "ruleset");
    await eventuallyEqual(() => tableSoon(node), GUARDED);
  });

  it("costs nothing when others change theirs", async () => {
    await using node = await withVxlan();
    for (let i = 0; i < 5; i++) {
      node.run("nft", "add", "table", "ip", "foreign");
      node.run("nft", "add", "chain", "ip", "foreign", "input", "{ type filter hook input priority 0; }");
      node.run("nft", "delete", "table", "ip", "foreign");
    }
    await node.settled();
    assert.equal(node.transactions.length, 1);
    assert.equal(table(node), GUARDED);
  });

  it("is adopted as it is after a restart, with what changed meanwhile", async () => {
    await using node = await withVxlan();
    const handles = (): string => node.run("nft", "-s", "-a", "list", "ruleset");
    const before = handles();
    await node.restart();
    await node.settled();
    assert.equal(handles(), before);
    assert.equal(node.transactions.length, 1);
    await node.stop();
    node.run("nft", "add", "element", "ip", "margay", "nodes", "{ 192.168.0.66 }");
    await node.restart();
    await eventuallyEqual(() => Promise.resolve(handles()), before);
  });

  it("of an earlier agent is removed where no tunnel is wanted any more", async () => {
    await using node = await createGuardedNode();
    node.run("nft", "add", "table", "ip", "margay");
    await node.start();
    await eventuallyEqual(() => tableSoon(node), "");
  });
});

describe("without nft", () => {
  it("a tunnel does not open, one fault says why, and everything else works", async () => {
    await using node = await createGuardedNode({ nft: "/nonexistent/nft" });
    node.learn(...factsWith("vxlan"));
    await node.start();
    // Links come after all tables.
    await eventuallyBlocked(node, "vxlan.calico");
    const { faults } = node.status();
    assert.deepEqual(
      faults.map(({ kind, key }) => [kind, key]),
      [
        ["guard", "guard"],
        ["source", "source check"],
      ],
    );
    assert.match(faults[0]?.reason ?? "", /^Cannot list nftables table "ip margay": .*\/nonexistent\/nft/);
    assert.doesNotMatch(node.run("ip", "link"), /vxlan/);
    await eventually(
      () => Promise.resolve(node.run("ip", "route").includes(`${CONTAINER} dev cali0123456789a`)),
      "the container's route",
    );
  });

  it("a node without tunnels lacks the check of source addresses alone", async () => {
    await using node = await createGuardedNode({ nft: "/nonexistent/nft" });
    node.learn(nodeFact("host1", HOST), nodeFact("host2", OTHER));
    await node.start();
    await eventually(() => Promise.resolve(node.status().faults.length > 0), "a fault");
    assert.deepEqual(
      node.status().faults.map(({ kind, key }) => [kind, key]),
      [["source", "source check"]],
    );
    assert.deepEqual(node.status().blocked, []);
  });
});

function farAddress(i: number): Ipv4 {
  return parseIpv4(`10.99.0.${i + 1}`);
}
