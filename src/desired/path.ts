// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Encapsulation, NodeFacts, TunnelKind, VxlanKind } from "./facts.ts";
import { vxlanEndOf, vxlanGateway } from "./vxlan.ts";

/** How packets get from this node to another. */
export type Path =
  /** As they are, to the other node's own address. */
  | { readonly kind: "direct"; readonly gateway: Ip }
  /** Inside others, to the other node's own address. */
  | { readonly kind: "ipip" }
  /** Inside others, to this address of the other node's end. */
  | { readonly kind: "vxlan" | "vxlan6"; readonly gateway: Ip }
  | { readonly kind: "none"; readonly reason: string };

export interface Way {
  readonly path: Path;
  /** Why it is not the one that is asked for, if it is another. */
  readonly detour: string | undefined;
}

type NamedNode = NodeFacts & { readonly name: string };

/**
 * A tunnel is used once both nodes have said that their ends are ready, and no longer. Until then, and for as long as one has none,
 * packets go by what there is: the other tunnel, or as they are, where that is possible. So a change of a pool's mode,
 * which every node learns of at its own time, loses nothing.
 */
export function wayTo(
  there: NamedNode,
  here: NodeFacts,
  encapsulation: Encapsulation,
  family: Family = 4,
): Way {
  const [from, to] = [networkOf(here, family), networkOf(there, family)];
  const unregistered = "has not registered an IPv6 address";
  if (from === undefined) return nowhere(`this node ${unregistered}`);
  if (to === undefined) return nowhere(`node "${there.name}" ${unregistered}`);
  const isNear = cidrContainsIp(from.subnet, to.address);
  const direct: Path = { kind: "direct", gateway: to.address };
  if (encapsulation.kind === "none") {
    const reason = `node "${there.name}" (${to.address}) is not on this node's network ${from.subnet}`;
    return isNear ? { path: direct, detour: undefined } : nowhere(reason);
  }
  if (encapsulation.crossSubnet && isNear) return { path: direct, detour: undefined };
  const [tunnel, second] = TUNNELS[tunnelFor(encapsulation.kind, family)];
  const wanted = tunnelTo(there, here, tunnel);
  if (wanted !== undefined) return { path: wanted, detour: undefined };
  const lack = `${whoLacks(there, here, tunnel)} no end of the ${NAMES[tunnel]} tunnel yet`;
  const path = (second && tunnelTo(there, here, second)) ?? (isNear ? direct : undefined);
  return path === undefined ? nowhere(lack) : { path, detour: lack };
}

/** The tunnel of pools of the kind. IPIP carries IPv4 alone, and no pool of IPv6 asks for it. */
export function tunnelFor(kind: "ipip" | "vxlan", family: Family): TunnelKind {
  return family === 4 ? kind : vxlanKind(family);
}

export function vxlanKind(family: Family): VxlanKind {
  return family === 4 ? "vxlan" : "vxlan6";
}

/** The one that is wanted, and the one that there may be beside it. */
const TUNNELS: Readonly<Record<TunnelKind, readonly [TunnelKind, TunnelKind?]>> = {
  ipip: ["ipip", "vxlan"],
  vxlan: ["vxlan", "ipip"],
  vxlan6: ["vxlan6"],
};

const NAMES: Readonly<Record<TunnelKind, string>> = { ipip: "IPIP", vxlan: "VXLAN", vxlan6: "IPv6 VXLAN" };

function nowhere(reason: string): Way {
  return { path: { kind: "none", reason }, detour: undefined };
}

function networkOf(
  node: NodeFacts,
  family: Family,
): { readonly address: Ip; readonly subnet: Cidr } | undefined {
  return family === 4 ? node : node.ipv6;
}

function tunnelTo(there: NodeFacts, here: NodeFacts, kind: TunnelKind): Path | undefined {
  if (there[kind] === undefined || here[kind] === undefined) return undefined;
  if (kind === "ipip") return { kind };
  const other = vxlanEndOf(there, kind === "vxlan" ? 4 : 6);
  return other && { kind, gateway: vxlanGateway(other.end) };
}

function whoLacks(there: NamedNode, here: NodeFacts, kind: TunnelKind): string {
  return here[kind] === undefined ? "this node has" : `node "${there.name}" has`;
}
