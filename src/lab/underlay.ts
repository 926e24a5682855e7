// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { replaceAddress } from "../dataplane/netlink/address.ts";
import { createBridge } from "../dataplane/netlink/link-bridge.ts";
import { createVeth } from "../dataplane/netlink/link-veth.ts";
import { getLink, listLinks, setLink } from "../dataplane/netlink/link.ts";
import { type Netns, openNetns } from "../dataplane/netlink/netns.ts";
import type { NetlinkRequest } from "../dataplane/netlink/request.ts";
import {
  type KernelRoute,
  RTPROT_STATIC,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  replaceRoute,
} from "../dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { type IfName, parseIfName } from "../net/if-name.ts";
import { applyAll } from "./apply.ts";
import { LabError } from "./error.ts";
import { type Layout, UNDERLAY } from "./layout.ts";
import { ensureNeighbours } from "./neighbours.ts";
import type { UnderlayRoute } from "./paths.ts";
import type { Topology } from "./topology-schema.ts";
import { type UnderlayNode, type UnderlayPort, planUnderlay } from "./underlay-plan.ts";

const LOOPBACK = parseIfName("lo");

/** Wires hosts and routers to the switches of their segments, and gives them addresses and routes. What is there stays. */
export async function ensureUnderlay(layout: Layout, topology: Topology): Promise<void> {
  using netns = openNetns(layout.namespacePath(UNDERLAY));
  await using switches = openRtnetlink({ netns });
  await ensureBridges(
    switches,
    topology.underlay.segments.map(({ name }) => parseIfName(name)),
  );
  const nodes = planUnderlay(topology);
  for (const node of nodes) await ensureNode(switches, layout, node);
  await ensureNeighbours(layout, nodes);
}

/** A container's loopback interface must be up before anything uses it. */
export async function bringUpLoopback(netnsPath: string): Promise<void> {
  using netns = openNetns(netnsPath);
  await using rtnetlink = openRtnetlink({ netns });
  await applyAll(rtnetlink, [setLink({ name: LOOPBACK, up: true })]);
}

async function ensureBridges(switches: Rtnetlink, names: readonly IfName[]): Promise<void> {
  const present = new Set((await switches.list(listLinks)).map(({ name }) => name));
  await applyAll(
    switches,
    names.filter((name) => !present.has(name)).map((name) => createBridge({ name, up: true })),
  );
}

async function ensureNode(switches: Rtnetlink, layout: Layout, node: UnderlayNode): Promise<void> {
  using netns = openNetns(layout.namespacePath(node.name));
  await using rtnetlink = openRtnetlink({ netns });
  // New namespaces take this over from the machine, which may forward: a host's agent decides for itself.
  if (node.isRouter)
    netns.run(() => {
      writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
      writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    });
  for (const port of node.ports) await ensureCable(switches, netns, port);
  await applyAll(rtnetlink, [
    setLink({ name: LOOPBACK, up: true }),
    ...node.ports.map(({ nodeEnd }) => setLink({ name: nodeEnd, up: true })),
    ...(await Promise.all(node.ports.map((port) => addressRequests(rtnetlink, port)))).flat(),
    ...node.routes.map(routeRequest),
  ]);
}

async function ensureCable(switches: Rtnetlink, netns: Netns, port: UnderlayPort): Promise<void> {
  const { switchEnd, nodeEnd, segment } = port;
  const links = await switches.list(listLinks);
  if (!links.some(({ name }) => name === switchEnd)) {
    const peer = { name: nodeEnd, netnsFd: netns.fd };
    await applyAll(switches, [createVeth({ name: switchEnd, up: true, peer })]);
  }
  const bridge = links.find(({ name }) => name === segment.name);
  if (bridge === undefined)
    throw new LabError("failed", `Cannot connect "${switchEnd}": bridge "${segment.name}" is gone`);
  await applyAll(switches, [setLink({ name: switchEnd, masterIndex: bridge.index })]);
}

async function addressRequests(
  rtnetlink: Rtnetlink,
  { nodeEnd, address: ip, prefixLength, ipv6 }: UnderlayPort,
): Promise<readonly NetlinkRequest[]> {
  const [link] = await rtnetlink.list(getLink(nodeEnd));
  if (link === undefined)
    throw new LabError("failed", `Cannot give "${nodeEnd}" address "${ip}": it is gone`);
  const common = { ifIndex: link.index, scope: RT_SCOPE_UNIVERSE };
  const four = replaceAddress({ ...common, ip, prefixLength });
  if (ipv6 === undefined) return [four];
  return [four, replaceAddress({ ...common, ...ipv6 }, { skipDuplicateDetection: true })];
}

function routeRequest({ to: dst, via: gateway }: UnderlayRoute): NetlinkRequest {
  const route: KernelRoute = {
    table: RT_TABLE_MAIN,
    dst,
    type: "unicast",
    protocol: RTPROT_STATIC,
    scope: RT_SCOPE_UNIVERSE,
    metric: 0,
    gateway,
    onlink: false,
  };
  return replaceRoute(route);
}
