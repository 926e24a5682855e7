// SPDX-License-Identifier: Apache-2.0
import type { Settings, TunnelKind } from "./facts.ts";
import {
  IPIP_OVERHEAD_BYTES,
  VXLAN6_OVERHEAD_BYTES,
  VXLAN_OVERHEAD_BYTES,
  WIREGUARD_OVERHEAD_BYTES,
} from "./wanted.ts";

/** Every kind that has room made for it. */
export type RoomFor = TunnelKind | "wireguard";

const OVERHEAD_BYTES: Readonly<Record<RoomFor, number>> = {
  ipip: IPIP_OVERHEAD_BYTES,
  vxlan: VXLAN_OVERHEAD_BYTES,
  vxlan6: VXLAN6_OVERHEAD_BYTES,
  wireguard: WIREGUARD_OVERHEAD_BYTES,
};

/** The length inside the tunnel of a packet that is this long outside it, in octets. */
export function innerBytes(tunnel: RoomFor, outerBytes: number): number {
  return outerBytes - OVERHEAD_BYTES[tunnel];
}

/** The length of a packet outside the tunnel that is this long inside it, in octets. */
export function outerBytes(tunnel: RoomFor, innerBytes: number): number {
  return innerBytes + OVERHEAD_BYTES[tunnel];
}

/** What fits into the tunnel, in octets: what the underlay carries less the outer headers, unless a person has said otherwise. */
export function tunnelMtu(tunnel: RoomFor, underlayMtu: number, { tunnelMtus }: Settings): number {
  const said = tunnelMtus[tunnel];
  return said === 0 ? innerBytes(tunnel, underlayMtu) : said;
}

/** The fields of the FelixConfiguration by which a person says otherwise. */
export const MTU_FIELDS: Readonly<Record<RoomFor, string>> = {
  ipip: "ipipMTU",
  vxlan: "vxlanMTU",
  vxlan6: "vxlanMTUV6",
  wireguard: "wireguardMTU",
};

/** What every IPv4 host has to take (RFC 791 section 3.1); below 68 the kernel makes no device at all (`ETH_MIN_MTU`, linux/if_ether.h). */
const SMALLEST_USEFUL_MTU = 576;
/** RFC 8200 section 5. The kernel takes IPv6 off an interface with less (`IPV6_MIN_MTU`, linux/ipv6.h). */
export const IPV6_MIN_MTU = 1280;

/** What is amiss with the tunnels' sizes, in words. */
export function mtuIssues(
  inUse: ReadonlySet<RoomFor>,
  underlayMtu: number,
  settings: Settings,
): readonly string[] {
  return [...inUse].flatMap((tunnel) => {
    const mtu = tunnelMtu(tunnel, underlayMtu, settings);
    const room = innerBytes(tunnel, underlayMtu);
    const rest = `the underlay's ${underlayMtu} octets leave room for ${room}`;
    if (mtu > room) return [`MTU: packets of ${MTU_FIELDS[tunnel]} ${mtu} do not fit: ${rest}`];
    const [family, least] = tunnel === "vxlan6" ? ["IPv6", IPV6_MIN_MTU] : ["IPv4", SMALLEST_USEFUL_MTU];
    if (mtu >= least) return [];
    return [`MTU: ${mtu} octets for ${tunnel} are too few, ${family} wants ${least}: ${rest}`];
  });
}

/** What is amiss with the MTU of containers that have IPv6 addresses, in words. */
export function ipv6MtuIssues(containerMtu: number): readonly string[] {
  if (containerMtu >= IPV6_MIN_MTU) return [];
  return [`MTU: ${containerMtu} octets for containers are too few, IPv6 wants ${IPV6_MIN_MTU}`];
}

/** The MTU of containers: of their packets, any may enter the smallest of the tunnels in use. */
export function containerMtu(inUse: ReadonlySet<RoomFor>, underlayMtu: number, settings: Settings): number {
  return Math.min(underlayMtu, ...Array.from(inUse, (tunnel) => tunnelMtu(tunnel, underlayMtu, settings)));
}
