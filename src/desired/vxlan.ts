// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { IfName } from "../net/if-name.ts";
import { linkLocalOf } from "../net/link-local.ts";
import type { NodeFacts, Settings, VxlanEnd } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { ipv6Sysctls, tunnelSysctls } from "./sysctl.ts";
import {
  VXLAN6_DEVICE,
  VXLAN_DEVICE,
  type WantedLink,
  addressKey,
  forwardingKey,
  linkKey,
  neighbourKey,
} from "./wanted.ts";

export interface VxlanDevice {
  /** The source address of outer packets. */
  readonly localIp: Ip;
  /** Octets. */
  readonly mtu: number;
  /** Whether the node has to compute the checksums of what it sends. */
  readonly isChecksumOffloadBroken: boolean;
}

/** The device of the family: what is inside its packets is of the same one as the packets themselves. */
export function vxlanDevice(family: Family): IfName {
  return family === 4 ? VXLAN_DEVICE : VXLAN6_DEVICE;
}

/** A node's end of the family, and the address that outer packets to it have; `undefined` where it lacks either. */
export function vxlanEndOf(
  { address, vxlan, vxlan6, ipv6 }: NodeFacts,
  family: Family,
): { readonly end: VxlanEnd<Ip>; readonly node: Ip } | undefined {
  if (family === 4) return vxlan && { end: vxlan, node: address };
  return vxlan6 && ipv6 && { end: vxlan6, node: ipv6.address };
}

/**
 * The gateway of routes to another end. Of IPv4 its address inside the tunnel, as in Calico. That is of no use in IPv6, where the kernel refuses a gateway
 * to which another route leads elsewhere, as the one that is to be replaced does when a pool's mode changes (`ip6_route_check_nh_onlink()`,
 * net/ipv6/route.c): so it is the link-local address that the device gives itself.
 */
export function vxlanGateway({ ip, mac }: VxlanEnd<Ip>): Ip {
  return familyOf(ip) === 4 ? ip : linkLocalOf(mac);
}

/** This node's end: the device, and the address that stands for the node inside the tunnel. */
export function ownVxlan(
  { ip, mac }: VxlanEnd<Ip>,
  { vxlanVni: vni, vxlanPort: port }: Settings,
  { localIp, mtu, isChecksumOffloadBroken }: VxlanDevice,
): Contributed {
  const family = familyOf(ip);
  const name = vxlanDevice(family);
  const device: WantedLink = { kind: "vxlan", name, mac, vni, port, localIp, mtu };
  return {
    link: [{ key: linkKey(name), value: device }],
    checksum: isChecksumOffloadBroken ? [{ key: linkKey(name), value: { ifName: name } }] : [],
    sysctl: family === 4 ? tunnelSysctls(name) : ipv6Sysctls(name),
    address: [{ key: addressKey(name, ip), value: { ifName: name, ip } }],
  };
}

/** What leads to another node's end: which MAC address its gateway has, and which node that is. Nothing is ever learnt or asked. */
export function vxlanPeer(node: NodeFacts, family: Family): Contributed {
  const other = vxlanEndOf(node, family);
  if (other === undefined) return {};
  const { mac } = other.end;
  const [ifName, ip] = [vxlanDevice(family), vxlanGateway(other.end)];
  return {
    neighbour: [{ key: neighbourKey(ifName, ip), value: { ifName, ip, mac } }],
    forwarding: [{ key: forwardingKey(ifName, mac), value: { ifName, mac, dst: other.node } }],
  };
}
