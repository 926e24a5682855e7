// SPDX-License-Identifier: Apache-2.0
import { cidrContainsIp } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Encapsulation, NodeFacts, TunnelKind } from "./facts.ts";

/** How packets get from this node to another. */
export type Path =
  /** As they are. */
  | { readonly kind: "direct" }
  /** Inside others, to the other node's own address. */
  | { readonly kind: "ipip" }
  /** Inside others, to this address of the other node's end. */
  | { readonly kind: "vxlan"; readonly gateway: Ipv4 }
  | { readonly kind: "none"; readonly reason: string };

export interface Way {
  readonly path: Path;
  /** Why it is not the one that is asked for, if it is another. */
  readonly detour: string | undefined;
}

/**
 * A tunnel is used once both nodes have said that their ends are ready, and no longer. Until then, and for as long as one has none,
 * packets go by what there is: the other tunnel, or as they are, where that is possible. So a change of a pool's mode,
 * which every node learns of at its own time, loses nothing.
 */
export function wayTo(
  there: NodeFacts & { readonly name: string },
  here: NodeFacts,
  encapsulation: Encapsulation,
): Way {
  const isNear = cidrContainsIp(here.subnet, there.address);
  const direct: Path = { kind: "direct" };
  if (encapsulation.kind === "none") {
    const reason = `node "${there.name}" (${there.address}) is not on this node's network ${here.subnet}`;
    return { path: isNear ? direct : { kind: "none", reason }, detour: undefined };
  }
  if (encapsulation.crossSubnet && isNear) return { path: direct, detour: undefined };
  const wanted = tunnelTo(there, here, encapsulation.kind);
  if (wanted !== undefined) return { path: wanted, detour: undefined };
  const lack = `${whoLacks(there, here, encapsulation.kind)} no end of the ${NAMES[encapsulation.kind]} tunnel yet`;
  const other = tunnelTo(there, here, encapsulation.kind === "ipip" ? "vxlan" : "ipip");
  const path: Path = other ?? (isNear ? direct : { kind: "none", reason: lack });
  return { path, detour: path.kind === "none" ? undefined : lack };
}

/** How IPv6 packets get to another node: as they are, between nodes on one network. No tunnel carries IPv6. */
export function ipv6WayTo(
  there: NodeFacts & { readonly name: string },
  here: NodeFacts,
  encapsulation: Encapsulation,
): { readonly kind: "direct"; readonly gateway: Ip } | { readonly kind: "none"; readonly reason: string } {
  const none = (reason: string) => ({ kind: "none", reason }) as const;
  if (here.ipv6 === undefined) return none("this node has not registered an IPv6 address");
  if (there.ipv6 === undefined) return none(`node "${there.name}" has not registered an IPv6 address`);
  const { address: gateway } = there.ipv6;
  const isNear = cidrContainsIp(here.ipv6.subnet, gateway);
  if (encapsulation.kind !== "none" && !(encapsulation.crossSubnet && isNear))
    return none(`no ${NAMES[encapsulation.kind]} tunnel carries IPv6`);
  if (isNear) return { kind: "direct", gateway };
  return none(`node "${there.name}" (${gateway}) is not on this node's network ${here.ipv6.subnet}`);
}

const NAMES: Readonly<Record<TunnelKind, string>> = { ipip: "IPIP", vxlan: "VXLAN" };

function tunnelTo(there: NodeFacts, here: NodeFacts, kind: TunnelKind): Path | undefined {
  switch (kind) {
    case "ipip":
      return there.ipip !== undefined && here.ipip !== undefined ? { kind } : undefined;
    case "vxlan":
      return there.vxlan !== undefined && here.vxlan !== undefined
        ? { kind, gateway: there.vxlan.ip }
        : undefined;
  }
}

function whoLacks(there: NodeFacts & { readonly name: string }, here: NodeFacts, kind: TunnelKind): string {
  return here[kind] === undefined ? "this node has" : `node "${there.name}" has`;
}
