// SPDX-License-Identifier: Apache-2.0
// Run by a test: `<namespace> <interface index> <own address> <node>=<block>…` sets up a tunnel, and ends.
import { openIpipTunnel } from "../../src/dataplane/bpf/ipip-tunnel.ts";
import { openNetns } from "../../src/dataplane/netlink/netns.ts";
import { openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";

const [namespace = "", ifIndex = "", own = "", ...blocks] = process.argv.slice(2);
using netns = openNetns(`/run/netns/${namespace}`);
await using rtnetlink = openRtnetlink({ netns });
using tunnel = await openIpipTunnel({ rtnetlink, ifIndex: Number(ifIndex) });
for (const text of blocks) {
  const [node = "", block = ""] = text.split("=");
  tunnel.setBlock(parseCidr(block), parseIpv4(node));
  tunnel.addNode(parseIpv4(node));
}
await tunnel.attach(parseIpv4(own));
