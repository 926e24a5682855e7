// SPDX-License-Identifier: Apache-2.0
import type { Contribution } from "./contributions.ts";
import type { IpipEnd, NodeFacts, Settings, VxlanEnd, WireguardEnd } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { IPIP_DEVICE, IPIP_PROTOCOL, VXLAN_DEVICE, WIREGUARD_DEVICE } from "./wanted.ts";
import { type WantedGuard, guardKey } from "./wanted-tables.ts";

/** This node's ends of tunnels. */
export interface TunnelEnds {
  readonly ipip: IpipEnd | undefined;
  readonly vxlan: VxlanEnd | undefined;
  readonly wireguard: WireguardEnd | undefined;
}

/**
 * Tunnels of this node that would take packets inside others from anyone. Programs that stand for an IPIP device are none of these: they have
 * a table of nodes themselves. WireGuard opens nothing without a key that it knows, but has to look, which costs it more than the sender.
 */
export function openTunnels(
  { ipip, vxlan, wireguard }: TunnelEnds,
  { vxlanPort, wireguardPort }: Settings,
): readonly WantedGuard[] {
  const all: WantedGuard[] = [];
  if (ipip?.driver === "device") all.push({ kind: "protocol", ifName: IPIP_DEVICE, protocol: IPIP_PROTOCOL });
  if (vxlan !== undefined) all.push({ kind: "port", ifName: VXLAN_DEVICE, port: vxlanPort });
  if (wireguard !== undefined) all.push({ kind: "port", ifName: WIREGUARD_DEVICE, port: wireguardPort });
  return all;
}

/** The guard of this node's tunnels; without any there is none. */
export function ownGuard(tunnels: readonly WantedGuard[]): Contributed {
  return tunnels.length === 0 ? {} : { guard: [entry({ kind: "table" }), ...tunnels.map(entry)] };
}

/** Another node, whose packets it lets pass. */
export function guardPeer({ address }: NodeFacts): Contributed {
  return { guard: [entry({ kind: "node", address })] };
}

function entry(value: WantedGuard): Contribution<WantedGuard> {
  return { key: guardKey(value), value };
}
