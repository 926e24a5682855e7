// SPDX-License-Identifier: Apache-2.0
import { type Cidr, hostCidr } from "../net/cidr.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Encapsulation, NodeFacts, PoolFacts } from "./facts.ts";
import { type RoomFor, outerBytes } from "./mtu.ts";
import { wayTo } from "./path.ts";

/** Tunnels of IPv4 packets. */
type Ipv4Tunnel = Exclude<RoomFor, "vxlan6">;

/** A way that IPv4 packets of this node take to another one. */
export interface PathToNode {
  readonly node: string;
  /** `underlay`: to the node's own address; otherwise inside others, to its address inside the tunnel. */
  readonly via: "underlay" | Ipv4Tunnel;
  readonly address: Ipv4;
  /** The longest packet that this node may send there, in octets. */
  readonly bytes: number;
  /** What the longest packet is: as a container sent it, or what a tunnel makes of it. */
  readonly longest: "direct" | Ipv4Tunnel;
}

export interface PathsContext {
  readonly pools: readonly PoolFacts[];
  /** How packets to the prefix are to travel. */
  readonly encapsulation: (dst: Cidr) => Encapsulation;
  /** Whether packets to containers on the node are encrypted, however they are to travel. */
  readonly isEncrypted: (node: string) => boolean;
  readonly containerMtu: number;
  readonly tunnelMtu: (tunnel: RoomFor) => number;
}

type NamedNode = NodeFacts & { readonly name: string };
type WayKind = "direct" | "none" | RoomFor;

/** The ways to one node: the underlay, and each tunnel that packets enter which are meant for its containers. */
export function pathsTo(there: NamedNode, here: NodeFacts, context: PathsContext): readonly PathToNode[] {
  const { pools, containerMtu, tunnelMtu } = context;
  const ways = new Set(pools.map(({ encapsulation }) => wayKind(there, here, encapsulation, context)));
  const tunnels = (["ipip", "vxlan", "wireguard"] as const).filter((tunnel) => ways.has(tunnel));
  const [longest = { longest: "direct" as const, bytes: containerMtu }] = tunnels
    .map((tunnel) => ({ longest: tunnel, bytes: outerBytes(tunnel, tunnelMtu(tunnel)) }))
    .sort((a, b) => b.bytes - a.bytes);
  return [
    { node: there.name, via: "underlay", address: there.address, ...longest },
    ...tunnels.flatMap((tunnel) => pathInside(tunnel, there, here, context)),
  ];
}

function wayKind(
  there: NamedNode,
  here: NodeFacts,
  encapsulation: Encapsulation,
  { isEncrypted }: PathsContext,
): WayKind {
  return isEncrypted(there.name) ? "wireguard" : wayTo(there, here, encapsulation).path.kind;
}

/** An address inside a tunnel belongs to a pool, and packets to it travel as that one says: only where that is the tunnel itself, it can be tried so. */
function pathInside(
  tunnel: Ipv4Tunnel,
  there: NamedNode,
  here: NodeFacts,
  context: PathsContext,
): readonly PathToNode[] {
  const address = { ipip: there.ipip, vxlan: there.vxlan?.ip, wireguard: there.wireguard?.ip }[tunnel];
  if (address === undefined) return [];
  if (wayKind(there, here, context.encapsulation(hostCidr(address)), context) !== tunnel) return [];
  return [{ node: there.name, via: tunnel, address, bytes: context.tunnelMtu(tunnel), longest: tunnel }];
}
