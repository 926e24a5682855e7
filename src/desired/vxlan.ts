// SPDX-License-Identifier: Apache-2.0
import type { Contribution } from "./contributions.ts";
import type { NodeFacts, Settings, VxlanEnd } from "./facts.ts";
import {
  VXLAN_DEVICE,
  VXLAN_OVERHEAD_BYTES,
  type WantedAddress,
  type WantedForwarding,
  type WantedLink,
  type WantedNeighbour,
  addressKey,
  forwardingKey,
  linkKey,
  neighbourKey,
} from "./wanted.ts";

/** This node's end: the device, and the address that stands for the node inside the tunnel. */
export interface VxlanOwn {
  readonly links: readonly Contribution<WantedLink>[];
  readonly addresses: readonly Contribution<WantedAddress>[];
}

export function ownVxlan(
  { ip, mac }: VxlanEnd,
  { address }: NodeFacts,
  settings: Settings,
  underlayMtu: number,
): VxlanOwn {
  const device: WantedLink = {
    kind: "vxlan",
    name: VXLAN_DEVICE,
    mac,
    vni: settings.vxlanVni,
    port: settings.vxlanPort,
    localIp: address,
    mtu: underlayMtu - VXLAN_OVERHEAD_BYTES,
  };
  return {
    links: [{ key: linkKey(VXLAN_DEVICE), value: device }],
    addresses: [{ key: addressKey(VXLAN_DEVICE, ip), value: { ifName: VXLAN_DEVICE, ip } }],
  };
}

/** What leads to another node's end: which MAC address its tunnel address has, and which node that is. Nothing is ever learnt or asked. */
export interface VxlanPeer {
  readonly neighbours: readonly Contribution<WantedNeighbour>[];
  readonly forwarding: readonly Contribution<WantedForwarding>[];
}

export function vxlanPeer({ vxlan, address }: NodeFacts): VxlanPeer {
  if (vxlan === undefined) return { neighbours: [], forwarding: [] };
  const { ip, mac } = vxlan;
  const ifName = VXLAN_DEVICE;
  return {
    neighbours: [{ key: neighbourKey(ifName, ip), value: { ifName, ip, mac } }],
    forwarding: [{ key: forwardingKey(ifName, mac), value: { ifName, mac, dst: address } }],
  };
}
