// SPDX-License-Identifier: Apache-2.0
import type { NodeFacts, Settings, VxlanEnd } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { tunnelSysctls } from "./sysctl.ts";
import { VXLAN_DEVICE, type WantedLink, addressKey, forwardingKey, linkKey, neighbourKey } from "./wanted.ts";

export interface VxlanDevice {
  /** Octets. */
  readonly mtu: number;
  /** Whether the node has to compute the checksums of what it sends. */
  readonly isChecksumOffloadBroken: boolean;
}

/** This node's end: the device, and the address that stands for the node inside the tunnel. */
export function ownVxlan(
  { ip, mac }: VxlanEnd,
  { address }: NodeFacts,
  settings: Settings,
  { mtu, isChecksumOffloadBroken }: VxlanDevice,
): Contributed {
  const device: WantedLink = {
    kind: "vxlan",
    name: VXLAN_DEVICE,
    mac,
    vni: settings.vxlanVni,
    port: settings.vxlanPort,
    localIp: address,
    mtu,
  };
  return {
    link: [{ key: linkKey(VXLAN_DEVICE), value: device }],
    checksum: isChecksumOffloadBroken
      ? [{ key: linkKey(VXLAN_DEVICE), value: { ifName: VXLAN_DEVICE } }]
      : [],
    sysctl: tunnelSysctls(VXLAN_DEVICE),
    address: [{ key: addressKey(VXLAN_DEVICE, ip), value: { ifName: VXLAN_DEVICE, ip } }],
  };
}

/** What leads to another node's end: which MAC address its tunnel address has, and which node that is. Nothing is ever learnt or asked. */
export function vxlanPeer({ vxlan, address }: NodeFacts): Contributed {
  if (vxlan === undefined) return {};
  const { ip, mac } = vxlan;
  const ifName = VXLAN_DEVICE;
  return {
    neighbour: [{ key: neighbourKey(ifName, ip), value: { ifName, ip, mac } }],
    forwarding: [{ key: forwardingKey(ifName, mac), value: { ifName, mac, dst: address } }],
  };
}
