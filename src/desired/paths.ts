// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, hostCidr } from "../net/cidr.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { Encapsulation, NodeFacts, PoolFacts } from "./facts.ts";
import { type RoomFor, outerBytes } from "./mtu.ts";
import { wayTo } from "./path.ts";

/** A way that packets of this node take to another one, of the family that the address has. */
export interface PathToNode {
  readonly node: string;
  /** `underlay`: to the node's own address; otherwise inside others, to its address inside the tunnel. */
  readonly via: "underlay" | RoomFor;
  readonly address: Ip;
  /** The longest packet that this node may send there, in octets. */
  readonly bytes: number;
  /** What the longest packet is: as a container sent it, or what a tunnel makes of it. */
  readonly longest: "direct" | RoomFor;
}

export interface PathsContext {
  readonly pools: readonly PoolFacts[];
  /** How packets to the prefix are to travel. */
  readonly encapsulation: (dst: Cidr) => Encapsulation;
  /** Whether IPv4 packets to containers on the node are encrypted, however they are to travel. */
  readonly isEncrypted: (node: string) => boolean;
  readonly containerMtu: number;
  readonly tunnelMtu: (tunnel: RoomFor) => number;
}

type NamedNode = NodeFacts & { readonly name: string };
type WayKind = "direct" | "none" | RoomFor;

const TUNNELS: Readonly<Record<Family, readonly RoomFor[]>> = {
  4: ["ipip", "vxlan", "wireguard"],
  6: ["vxlan6"],
};

/**
 * The ways to one node: in each family that both nodes have an address of, the underlay, and each tunnel that packets enter which are meant for
 * its containers. IPv4 comes first.
 */
export function pathsTo(there: NamedNode, here: NodeFacts, context: PathsContext): readonly PathToNode[] {
  const address6 = here.ipv6 && there.ipv6?.address;
  return [
    ...pathsInFamily(there.address, there, here, context),
    ...(address6 === undefined ? [] : pathsInFamily(address6, there, here, context)),
  ];
}

function pathsInFamily(
  address: Ip,
  there: NamedNode,
  here: NodeFacts,
  context: PathsContext,
): readonly PathToNode[] {
  const { pools, containerMtu, tunnelMtu } = context;
  const family = familyOf(address);
  const ways = new Set(
    pools
      .filter(({ cidr }) => cidrFamily(cidr) === family)
      .map(({ encapsulation }) => wayKind(there, here, encapsulation, family, context)),
  );
  const tunnels = TUNNELS[family].filter((tunnel) => ways.has(tunnel));
  const [longest = { longest: "direct" as const, bytes: containerMtu }] = tunnels
    .map((tunnel) => ({ longest: tunnel, bytes: outerBytes(tunnel, tunnelMtu(tunnel)) }))
    .sort((a, b) => b.bytes - a.bytes);
  return [
    { node: there.name, via: "underlay", address, ...longest },
    ...tunnels.flatMap((tunnel) => pathInside(tunnel, there, here, context)),
  ];
}

function wayKind(
  there: NamedNode,
  here: NodeFacts,
  encapsulation: Encapsulation,
  family: Family,
  { isEncrypted }: PathsContext,
): WayKind {
  if (family === 4 && isEncrypted(there.name)) return "wireguard";
  return wayTo(there, here, encapsulation, family).path.kind;
}

/** An address inside a tunnel belongs to a pool, and packets to it travel as that one says: only where that is the tunnel itself, it can be tried so. */
function pathInside(
  tunnel: RoomFor,
  there: NamedNode,
  here: NodeFacts,
  context: PathsContext,
): readonly PathToNode[] {
  const { ipip, vxlan, vxlan6, wireguard } = there;
  const address = { ipip, vxlan: vxlan?.ip, vxlan6: vxlan6?.ip, wireguard: wireguard?.ip }[tunnel];
  if (address === undefined) return [];
  const encapsulation = context.encapsulation(hostCidr(address));
  if (wayKind(there, here, encapsulation, familyOf(address), context) !== tunnel) return [];
  return [{ node: there.name, via: tunnel, address, bytes: context.tunnelMtu(tunnel), longest: tunnel }];
}
