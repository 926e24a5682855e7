// SPDX-License-Identifier: Apache-2.0
import type { NodeFacts } from "../../desired/facts.ts";
import type { IPPool } from "../../model/ip-pool.ts";
import { cidrSize } from "../../net/cidr.ts";
import { byId } from "../../web/view/by-id.ts";
import type { Narrated } from "../../web/view/narrate.ts";
import type { Item, View } from "../../web/view/view.ts";
import { type ViewParts, blockOf } from "./own-part.ts";

/** All that the agent knows but for counters: its own part, other nodes by their records, pools and blocks. */
export function renderView(
  { nodeName, version, calculation, catalog }: ViewParts,
  own: Narrated,
): Omit<View, "at" | "counters"> {
  const others = [...calculation.nodes()].filter(([name]) => name !== nodeName);
  const blocks = byId(Array.from(catalog.blocks, (block) => blockOf(block, catalog.pools)));
  return {
    scope: "node",
    name: nodeName,
    version,
    segments: segmentsOf(calculation.nodes()),
    machines: byId([...own.machines, ...others.map(machineOf)]),
    nodes: byId([...own.nodes, ...others.map(nodeOf)]),
    containers: own.containers,
    sessions: own.sessions,
    tunnels: own.tunnels,
    pools: byId(catalog.pools.map((pool) => poolItem(pool, blocks))),
    blocks,
  };
}

/** A network that nodes are on. */
function segmentsOf(nodes: ReadonlyMap<string, NodeFacts>): readonly Item<"segments">[] {
  const subnets = new Set(nodes.values().map(({ subnet }) => subnet));
  return byId([...subnets].map((cidr) => ({ id: cidr, name: cidr, cidr })));
}

type NamedNode = readonly [name: string, facts: NodeFacts];

function machineOf([name, { address, subnet }]: NamedNode): Item<"machines"> {
  return {
    id: name,
    name,
    kind: "host",
    ports: [{ segment: subnet, interface: null, address, isUp: null }],
  };
}

/** As its record says. */
function nodeOf([name, facts]: NamedNode): Item<"nodes"> {
  const { address, ipv6, routeSource } = facts;
  const kinds = ["ipip", "vxlan", "vxlan6", "wireguard"] as const;
  return {
    id: name,
    machine: name,
    addresses: [address, ...(ipv6 === undefined ? [] : [ipv6.address])],
    isOwn: false,
    isAnswering: null,
    isReady: null,
    version: null,
    reasons: [],
    degraded: [],
    routeSource: routeSource === "datastore" ? "datastore" : "bird",
    encapsulations: kinds.filter((kind) => facts[kind] !== undefined),
    routesByOrigin: null,
  };
}

function poolItem({ metadata: { name }, spec }: IPPool, blocks: readonly Item<"blocks">[]): Item<"pools"> {
  const { cidr, blockSize, disabled, ipipMode, vxlanMode } = spec;
  const used = blocks.reduce((sum, block) => sum + (block.pool === name ? block.used : 0), 0);
  return {
    id: name,
    name,
    cidr,
    blockSize,
    isDisabled: disabled,
    ipipMode,
    vxlanMode,
    addresses: String(cidrSize(cidr)),
    used,
  };
}
