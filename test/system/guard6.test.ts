// SPDX-License-Identifier: Apache-2.0
// The guard of VXLAN over IPv6 on a real kernel: forged packets, and the table beside that of IPv4.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Ipv6 } from "../../src/net/ipv6.ts";
import { parseMac } from "../../src/net/mac.ts";
import {
  CONTAINER6,
  END6_MAC,
  FAR6,
  type GuardedNode,
  HOST,
  HOST6,
  OTHER,
  OTHER6,
  PORT,
  STRANGER6,
  createGuardedNode,
  eventuallyBlocked,
  factsWith,
  nodeFact,
  nodeFact6,
  vxlan6Facts,
} from "./guard-harness.ts";
import { eventually, eventuallyEqual } from "./harness.ts";
import { ethernetFrame, ipv6Fragment, ipv6Packet, udpOverIpv6, vxlanPayload } from "./packet.ts";

const VXLAN_PORT = 4789;
const ETH_P_IPV6 = 0x86dd;
// Next headers (RFC 8200 section 4.1).
const UDP = 17;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;

async function withVxlan6(): Promise<GuardedNode> {
  const node = await createGuardedNode();
  node.learn(nodeFact("host1", HOST), nodeFact("host2", OTHER), ...vxlan6Facts(), {
    kind: "underlay",
    mtu: 1500,
  });
  await node.start();
  await node.settled();
  return node;
}

/** A frame for the container, as the other node would send it for one of its own. */
function frame(text: string): Buffer {
  const datagram = udpOverIpv6(FAR6, CONTAINER6, PORT, Buffer.from(text));
  return vxlanPayload(4096, END6_MAC, ipv6Packet(FAR6, CONTAINER6, UDP, datagram));
}

/** The same as Ethernet frames of two fragments; behind eight octets of options, which can be the whole of the first. */
function fragments(node: GuardedNode, from: Ipv6, text: string, firstOctets: number): readonly Buffer[] {
  const options = Buffer.from([UDP, 0, 1, 4, 0, 0, 0, 0]);
  const whole = Buffer.concat([options, udpOverIpv6(from, HOST6, VXLAN_PORT, frame(text))]);
  const mac = (address: string): ReturnType<typeof parseMac> => parseMac(address.trim());
  const to = mac(node.run("cat", "/sys/class/net/eth0/address"));
  const sender = mac(node.runOutside("cat", "/sys/class/net/eth0/address"));
  return [
    ipv6Fragment(DESTINATION_OPTIONS, 0, false, whole.subarray(0, firstOctets)),
    ipv6Fragment(DESTINATION_OPTIONS, firstOctets, true, whole.subarray(firstOctets)),
  ].map((part) => ethernetFrame(to, sender, ETH_P_IPV6, ipv6Packet(from, HOST6, FRAGMENT, part)));
}

/** How many packets were dropped for the tunnel; the kernel may be at the last of them still. */
function dropped(node: GuardedNode): Promise<string> {
  const listed = node.run("nft", "list", "set", "ip6", "margay", "ports");
  return Promise.resolve(/ counter packets (\d+)/.exec(listed)?.[1] ?? "");
}

/** The tables of the guards without what they have counted. */
const tables = (node: GuardedNode): string =>
  node.run("nft", "-s", "list", "ruleset").replace(/^table inet margay-source {.*?^}\n/ms, "");
const tablesSoon = (node: GuardedNode): Promise<string> => Promise.resolve(tables(node));

const GUARDED = `table ip6 margay {
	set nodes {
		type ipv6_addr
		elements = { fd00:1::102 }
	}

	set ports {
		type inet_service
		counter
		elements = { 4789 counter comment "vxlan-v6.calico" }
	}

	chain strangers {
		type filter hook input priority raw; policy accept;
		ip6 saddr != @nodes udp dport @ports drop
	}
}
`;

describe("forged packets of VXLAN over IPv6", () => {
  it("are dropped and counted from a stranger's address, and the same bytes taken from a node's", async () => {
    await using node = await withVxlan6();
    await using received = await node.receive();
    node.send(STRANGER6, HOST6, VXLAN_PORT, frame("forged"));
    node.send(STRANGER6, HOST6, VXLAN_PORT, frame("forged"));
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("taken"));
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), ["taken"]);
    await eventuallyEqual(() => dropped(node), "2");
  });

  it("are dropped in fragments too", async () => {
    await using node = await withVxlan6();
    await using received = await node.receive();
    node.send(STRANGER6, HOST6, VXLAN_PORT, frame("f".repeat(2000)));
    node.sendFrames(...fragments(node, STRANGER6, "forged", 16));
    node.sendFrames(...fragments(node, OTHER6, "taken", 16));
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), ["taken"]);
    await eventuallyEqual(() => dropped(node), "2");
  });

  it("are taken from nobody where the first fragment does not reach to the port", async () => {
    await using node = await withVxlan6();
    await using received = await node.receive();
    node.sendFrames(...fragments(node, STRANGER6, "forged", 8));
    node.sendFrames(...fragments(node, OTHER6, "forged", 8));
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
  });

  it("would be taken without the guard", async () => {
    await using node = await withVxlan6();
    await node.stop();
    node.run("nft", "flush", "ruleset");
    await using received = await node.receive();
    node.send(STRANGER6, HOST6, VXLAN_PORT, frame("forged"));
    assert.deepEqual(await received.until("forged"), []);
  });

  it("are still dropped when the agent is gone", async () => {
    await using node = await withVxlan6();
    await node.stop();
    await using received = await node.receive();
    node.send(STRANGER6, HOST6, VXLAN_PORT, frame("forged"));
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
  });

  it("are dropped from a node that has such an address no more", async () => {
    await using node = await withVxlan6();
    node.learn(nodeFact("host2", OTHER));
    await node.settled();
    await using received = await node.receive();
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("forged"));
    node.learn(nodeFact6("host2", OTHER, OTHER6));
    await node.settled();
    node.send(OTHER6, HOST6, VXLAN_PORT, frame("last"));
    assert.deepEqual(await received.until("last"), []);
    await eventuallyEqual(() => dropped(node), "1");
  });
});

describe("the table of IPv6", () => {
  it("is there without that of IPv4, is adopted as it is, and repaired by event", async () => {
    await using node = await withVxlan6();
    assert.equal(tables(node), GUARDED);
    const handles = (): string => node.run("nft", "-s", "-a", "list", "ruleset");
    const before = handles();
    await node.restart();
    await node.settled();
    assert.equal(handles(), before);
    node.run("nft", "flush", "ruleset");
    await eventuallyEqual(() => tablesSoon(node), GUARDED);
  });

  it("comes and goes with its tunnel, and leaves that of IPv4 as it is", async () => {
    await using node = await createGuardedNode();
    node.learn(...factsWith("vxlan"));
    await node.start();
    await node.settled();
    const four = (): string => node.run("nft", "-s", "-a", "list", "table", "ip", "margay");
    const before = four();
    node.learn(...vxlan6Facts());
    await node.settled();
    assert.equal(tables(node).split("table ip6")[1], GUARDED.split("table ip6")[1]);
    assert.equal(four(), before);
    node.learn({ kind: "vxlan6End", value: undefined });
    await eventually(() => Promise.resolve(!tables(node).includes("ip6")), "the end of the table");
    await node.settled();
    assert.equal(four(), before);
    assert.doesNotMatch(node.run("ip", "link"), /vxlan-v6/);
  });

  it("of an earlier agent is removed where no tunnel is wanted any more", async () => {
    await using node = await createGuardedNode();
    node.run("nft", "add", "table", "ip6", "margay");
    await node.start();
    await eventuallyEqual(() => tablesSoon(node), "");
  });

  it("is waited for: without nft the tunnel does not open, and one fault says why", async () => {
    await using node = await createGuardedNode({ nft: "/nonexistent/nft" });
    node.learn(...vxlan6Facts(), { kind: "underlay", mtu: 1500 });
    await node.start();
    await eventuallyBlocked(node, "vxlan-v6.calico");
    const { faults } = node.status();
    assert.ok(faults.some(({ kind, reason }) => kind === "guard6" && reason.includes('"ip6 margay"')));
    assert.doesNotMatch(node.run("ip", "link"), /vxlan/);
  });
});
