// SPDX-License-Identifier: Apache-2.0
import type { Contribution } from "./contributions.ts";
import type { NodeFacts, Settings, TunnelEnds } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { IPIP_DEVICE, IPIP_PROTOCOL, VXLAN6_DEVICE, VXLAN_DEVICE, WIREGUARD_DEVICE } from "./wanted.ts";
import { type GuardKind, type WantedGuard, guardKey } from "./wanted-tables.ts";

/** Tunnels of this node that would take packets inside others from anyone, by the guard of these packets' family. */
export type OpenTunnels = Readonly<Record<GuardKind, readonly WantedGuard[]>>;

/**
 * Programs that stand for an IPIP device are none of these: they have a table of nodes themselves. WireGuard opens nothing without a key that
 * it knows, but has to look, which costs it more than the sender.
 */
export function openTunnels(
  { ipip, vxlan, vxlan6, wireguard }: TunnelEnds,
  { vxlanPort, wireguardPort }: Settings,
): OpenTunnels {
  const guard: WantedGuard[] = [];
  if (ipip?.driver === "device")
    guard.push({ kind: "protocol", ifName: IPIP_DEVICE, protocol: IPIP_PROTOCOL });
  if (vxlan !== undefined) guard.push({ kind: "port", ifName: VXLAN_DEVICE, port: vxlanPort });
  if (wireguard !== undefined) guard.push({ kind: "port", ifName: WIREGUARD_DEVICE, port: wireguardPort });
  const guard6: readonly WantedGuard[] =
    vxlan6 === undefined ? [] : [{ kind: "port", ifName: VXLAN6_DEVICE, port: vxlanPort }];
  return { guard, guard6 };
}

/** The guards of this node's tunnels; without any of a family there is none of it. */
export function ownGuard(tunnels: OpenTunnels): Contributed {
  const own = (kind: GuardKind): readonly Contribution<WantedGuard>[] =>
    tunnels[kind].length === 0 ? [] : [{ kind: "table" } as const, ...tunnels[kind]].map(entryOf(kind));
  return { guard: own("guard"), guard6: own("guard6") };
}

/** Another node, whose packets they let pass. */
export function guardPeer({ address, ipv6 }: NodeFacts, tunnels: OpenTunnels): Contributed {
  const four = { kind: "node", address } as const;
  const six = ipv6 === undefined ? [] : [{ kind: "node", address: ipv6.address } as const];
  return {
    guard: tunnels.guard.length === 0 ? [] : [four].map(entryOf("guard")),
    guard6: tunnels.guard6.length === 0 ? [] : six.map(entryOf("guard6")),
  };
}

function entryOf(guard: GuardKind): (value: WantedGuard) => Contribution<WantedGuard> {
  return (value) => ({ key: guardKey(guard, value), value });
}
