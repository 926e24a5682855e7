// SPDX-License-Identifier: Apache-2.0
import type { Settings, TunnelKind } from "./facts.ts";
import { IPIP_OVERHEAD_BYTES, VXLAN_OVERHEAD_BYTES } from "./wanted.ts";

const OVERHEAD_BYTES: Readonly<Record<TunnelKind, number>> = {
  ipip: IPIP_OVERHEAD_BYTES,
  vxlan: VXLAN_OVERHEAD_BYTES,
};

/** What fits into the tunnel, in octets: what the underlay carries less the outer headers, unless a person has said otherwise. */
export function tunnelMtu(tunnel: TunnelKind, underlayMtu: number, { tunnelMtus }: Settings): number {
  const said = tunnelMtus[tunnel];
  return said === 0 ? underlayMtu - OVERHEAD_BYTES[tunnel] : said;
}

/** The MTU of containers: of their packets, any may enter the smallest of the tunnels in use. */
export function containerMtu(
  inUse: ReadonlySet<TunnelKind>,
  underlayMtu: number,
  settings: Settings,
): number {
  return Math.min(underlayMtu, ...Array.from(inUse, (tunnel) => tunnelMtu(tunnel, underlayMtu, settings)));
}
