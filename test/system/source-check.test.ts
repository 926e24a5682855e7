// SPDX-License-Identifier: Apache-2.0
// What containers may not send, on a real kernel: from addresses that are not theirs, for others, and from interfaces that nobody knows.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Ip } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { parseIpv6 } from "../../src/net/ipv6.ts";
import { eventually, eventuallyEqual } from "./harness.ts";
import { arpPacket, ethernetFrame, neighbourAdvertisement } from "./packet.ts";
import {
  A,
  B,
  HOST,
  HOST6,
  NODE_END_MAC,
  OUTSIDE,
  OUTSIDE6,
  type WorkloadNode,
  createWorkloadNode,
  endpointFact,
  noEndpoint,
} from "./workload-harness.ts";

const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
const FOREIGN = parseIpv4("10.1.1.77");
const FOREIGN6 = parseIpv6("fd00:1::77");

const GATEWAY = parseIpv4("169.254.1.1");
const LINK_LOCAL = parseIpv6("fe80::ff:fe00:a");
const FAMILIES = [
  {
    family: "IPv4",
    own: A.ip,
    foreign: FOREIGN,
    beside: B.ip,
    outside: OUTSIDE,
    host: HOST,
    protocol: "ip",
  },
  {
    family: "IPv6",
    own: A.ip6,
    foreign: FOREIGN6,
    beside: B.ip6,
    outside: OUTSIDE6,
    host: HOST6,
    protocol: "ip6",
  },
] as const;

const WHOLE = `table inet margay-source {
	set own4 {
		type ifname . ipv4_addr
		elements = { "${A.ifName}" . ${A.ip}, "${B.ifName}" . ${B.ip} }
	}

	set own6 {
		type ifname . ipv6_addr
		elements = { "${A.ifName}" . ${A.ip6}, "${B.ifName}" . ${B.ip6} }
	}

	chain containers {
		type filter hook prerouting priority raw; policy accept;
		iifname "cali*" iifname . ip saddr != @own4 counter drop
		iifname "cali*" ip6 saddr fe80::/10 meta l4proto ipv6-icmp accept
		iifname "cali*" ip6 saddr :: meta l4proto ipv6-icmp accept
		iifname "cali*" iifname . ip6 saddr != @own6 counter drop
	}
}
`;

async function started(): Promise<WorkloadNode> {
  const node = await createWorkloadNode({ recorded: "margay-source" });
  await node.start();
  await node.settled();
  return node;
}

/** The kernel's own check, which would drop IPv4 packets too, is off: what is dropped is dropped by the table. */
function withoutReversePath(node: WorkloadNode): void {
  for (const name of ["all", A.ifName, B.ifName])
    node.run("host", "sysctl", "-qw", `net.ipv4.conf.${name}.rp_filter=0`);
}

function addAddress(node: WorkloadNode, ip: Ip): void {
  const isIpv6 = ip.includes(":");
  node.run(
    "a",
    "ip",
    "addr",
    "add",
    `${ip}/${isIpv6 ? 128 : 32}`,
    "dev",
    "eth0",
    ...(isIpv6 ? ["nodad"] : []),
  );
}

const table = (node: WorkloadNode): string =>
  node.run("host", "nft", "-s", "list", "table", "inet", "margay-source");

/** How many packets the rule for the family has dropped. */
function dropped(node: WorkloadNode, protocol: "ip" | "ip6"): number {
  const listing = node.run("host", "nft", "list", "table", "inet", "margay-source");
  const [, packets] = new RegExp(`\\. ${protocol} saddr != @\\w+ counter packets (\\d+)`).exec(listing) ?? [];
  return Number(packets);
}

describe("a container", () => {
  for (const { family, own, foreign, beside, outside, host, protocol } of FAMILIES) {
    it(`sends from its own ${family} address, and from no other`, async () => {
      await using node = await started();
      withoutReversePath(node);
      await using atOutside = await node.receive("outside");
      await using atHost = await node.receive("host");
      addAddress(node, foreign);
      const before = dropped(node, protocol);
      const all = [outside, host];
      for (const to of all) node.send("a", { from: foreign, to, text: "forged" });
      await eventually(() => Promise.resolve(dropped(node, protocol) === before + all.length), "two drops");
      for (const to of all) node.send("a", { from: own, to, text: "own" });
      for (const receiver of [atOutside, atHost]) assert.deepEqual(await receiver.until("own"), []);
    });

    it(`cannot send as its neighbour, by ${family}`, async () => {
      await using node = await started();
      withoutReversePath(node);
      await using atOutside = await node.receive("outside");
      addAddress(node, beside);
      node.send("a", { from: beside, to: outside, text: "forged" });
      node.send("a", { from: own, to: outside, text: "own" });
      assert.deepEqual(await atOutside.until("own"), []);
    });

    it(`of an interface that nobody has recorded sends no ${family} packet before the agent sees it`, async () => {
      await using node = await createWorkloadNode({ recorded: "margay-source" });
      node.learn(noEndpoint(A));
      await node.start();
      await node.settled();
      // What the agent would do is not done, as in the moment before it does it.
      await node.stop();
      withoutReversePath(node);
      openStray(node);
      await using atOutside = await node.receive("outside");
      await using atHost = await node.receive("host");
      const before = dropped(node, protocol);
      for (const to of [outside, host]) node.send("a", { from: own, to, text: "stray" });
      await eventually(() => Promise.resolve(dropped(node, protocol) === before + 2), "two drops");
      node.learn(endpointFact(A));
      await node.restart();
      await node.settled();
      for (const to of [outside, host]) node.send("a", { from: own, to, text: "own" });
      for (const receiver of [atOutside, atHost]) assert.deepEqual(await receiver.until("own"), []);
    });

    it(`of such an interface would send ${family} packets without the table`, async () => {
      await using node = await createWorkloadNode({ recorded: "margay-source" });
      node.learn(noEndpoint(A));
      await node.start();
      await node.settled();
      await node.stop();
      withoutReversePath(node);
      openStray(node);
      node.run("host", "nft", "delete", "table", "inet", "margay-source");
      await using atOutside = await node.receive("outside");
      node.send("a", { from: own, to: outside, text: "stray" });
      assert.deepEqual(await atOutside.until("stray"), []);
    });
  }

  it("that is gone has nobody in its place", async () => {
    await using node = await started();
    await using atOutside = await node.receive("outside");
    node.learn(noEndpoint(A));
    await node.settled();
    await node.stop();
    openStray(node);
    node.send("a", { from: A.ip, to: OUTSIDE, text: "stray" });
    node.send("b", { from: B.ip, to: OUTSIDE, text: "last" });
    assert.deepEqual(await atOutside.until("last"), []);
  });

  it("keeps sending when the agent is dead, and still only from its own address", async () => {
    await using node = await started();
    await node.stop();
    withoutReversePath(node);
    await using atOutside = await node.receive("outside");
    addAddress(node, FOREIGN);
    node.send("a", { from: FOREIGN, to: OUTSIDE, text: "forged" });
    node.send("a", { from: A.ip, to: OUTSIDE, text: "own" });
    assert.deepEqual(await atOutside.until("own"), []);
  });
});

describe("forged answers of a container", () => {
  /** Says that both of the neighbour's addresses, and those of the machine beside the node, are its own. */
  function forge(node: WorkloadNode): void {
    const frames = [B.ip, OUTSIDE].flatMap((ip) => [
      ethernetFrame(NODE_END_MAC, A.mac, ETH_P_ARP, arpPacket(2, ip, A.mac, ip)),
      ethernetFrame(NODE_END_MAC, A.mac, ETH_P_ARP, arpPacket(1, ip, A.mac, ip)),
      // One that the node answers, and learns from.
      ethernetFrame(NODE_END_MAC, A.mac, ETH_P_ARP, arpPacket(1, ip, A.mac, GATEWAY)),
    ]);
    const advertised = [B.ip6, OUTSIDE6].flatMap((ip) =>
      [A.ip6, LINK_LOCAL].map((from) =>
        ethernetFrame(NODE_END_MAC, A.mac, ETH_P_IPV6, neighbourAdvertisement(from, ip, A.mac)),
      ),
    );
    node.sendFrames("a", ...frames, ...advertised);
  }

  it("change nothing of how the node reaches others, by either family", async () => {
    await using node = await started();
    const permanent = (): string => node.run("host", "ip", "neigh", "show", "nud", "permanent");
    await using atA = await node.receive("a");
    await using atB = await node.receive("b");
    await using atOutside = await node.receive("outside");
    for (const ip of [B.ip, B.ip6, OUTSIDE, OUTSIDE6]) addAddress(node, ip);
    const before = permanent();
    assert.match(before, new RegExp(`${B.ip} dev ${B.ifName} lladdr ${B.mac} PERMANENT`));
    forge(node);
    for (const to of [B.ip, OUTSIDE]) node.send("host", { from: HOST, to, text: "IPv4" });
    node.send("host", { from: HOST6, to: OUTSIDE6, text: "IPv6" });
    node.send("outside", { from: OUTSIDE, to: B.ip, text: "across" });
    await atOutside.until("IPv6");
    for (const text of ["IPv4", "across"]) await atB.until(text);
    node.send("host", { from: HOST, to: A.ip, text: "last" });
    assert.deepEqual(await atA.until("last"), []);
    assert.equal(permanent(), before);
  });
});

describe("the table", () => {
  it("holds one element for each address of each container", async () => {
    await using node = await started();
    assert.equal(sorted(table(node)), sorted(WHOLE));
    assert.equal(node.transactions.length, 1);
  });

  it("has its elements changed one by one", async () => {
    await using node = await started();
    node.learn(noEndpoint(B));
    await node.settled();
    node.learn(endpointFact(B));
    await node.settled();
    assert.deepEqual(
      node.transactions.slice(1),
      ["delete", "add"].map(
        (verb) =>
          `${verb} element inet margay-source own4 { "${B.ifName}" . ${B.ip} }\n` +
          `${verb} element inet margay-source own6 { "${B.ifName}" . ${B.ip6} }\n`,
      ),
    );
    assert.equal(sorted(table(node)), sorted(WHOLE));
  });

  for (const [what, ...damage] of [
    ["all rules flushed", "flush", "ruleset"],
    ["the table deleted", "delete", "table", "inet", "margay-source"],
    ["the chain flushed", "flush", "chain", "inet", "margay-source", "containers"],
    ["a rule added", "insert", "rule", "inet", "margay-source", "containers", "accept"],
    ["an address removed", "delete", "element", "inet", "margay-source", "own4", `{ ${A.ifName} . ${A.ip} }`],
    ["an address added", "add", "element", "inet", "margay-source", "own4", `{ ${A.ifName} . ${B.ip} }`],
    [
      "an IPv6 address added",
      "add",
      "element",
      "inet",
      "margay-source",
      "own6",
      `{ ${A.ifName} . ${B.ip6} }`,
    ],
    ["all addresses removed", "flush", "set", "inet", "margay-source", "own6"],
    ["it put to sleep", "add", "table", "inet", "margay-source", "{ flags dormant; }"],
  ] as const) {
    it(`is repaired by event with ${what}`, async () => {
      await using node = await started();
      node.run("host", "nft", ...damage);
      await eventuallyEqual(() => Promise.resolve(sortedOrGone(node)), sorted(WHOLE));
      await node.settled();
    });
  }

  it("is adopted as it is after a restart", async () => {
    await using node = await started();
    const handles = (): string => node.run("host", "nft", "-s", "-a", "list", "ruleset");
    const before = handles();
    await node.restart();
    await node.settled();
    assert.equal(handles(), before);
    assert.equal(node.transactions.length, 1);
  });

  it("of another version is replaced in one transaction", async () => {
    await using node = await started();
    await node.stop();
    node.run("host", "nft", "insert", "rule", "inet", "margay-source", "containers", "counter");
    await node.restart();
    await eventually(() => Promise.resolve(node.transactions.length > 1), "another transaction");
    await node.settled();
    assert.equal(sorted(table(node)), sorted(WHOLE));
    assert.equal(node.transactions.length, 2);
  });
});

/** A node end that the agent has set down, up again and forwarding. */
function openStray(node: WorkloadNode): void {
  node.run("host", "sysctl", "-qw", `net.ipv6.conf.${A.ifName}.disable_ipv6=0`);
  node.run("host", "ip", "link", "set", A.ifName, "up");
}

/** Elements are listed in the order of a hash. */
function sorted(listing: string): string {
  return listing
    .replaceAll(/\s+/g, " ")
    .replaceAll(/elements = \{ ([^}]*) \}/g, (_, all: string) => all.split(", ").sort().join(", "));
}

function sortedOrGone(node: WorkloadNode): string {
  return node.run("host", "nft", "list", "tables").includes("margay-source") ? sorted(table(node)) : "";
}
