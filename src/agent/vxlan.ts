// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { VxlanEnd } from "../desired/facts.ts";
import { VXLAN_DEVICE } from "../desired/wanted.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";
import { nodeFacts } from "./facts.ts";
import { type TunnelContext, basisOf, poolsWith, unusedTunnel } from "./tunnels.ts";
import type { TunnelKind } from "./tunnel-end.ts";

/** VXLAN: one device, whose end is an address and a MAC address. */
export function vxlanTunnel(context: TunnelContext): TunnelKind<VxlanEnd> {
  const { nodeName, catalog, dataplane, registration, learn } = context;
  const pools = () => poolsWith(catalog, "vxlanMode");
  return {
    name: "VXLAN",
    handleId: `vxlan-tunnel-addr-${nodeName}`,
    addressType: "vxlanTunnelAddress",
    isWanted: () => pools().length > 0,
    pools,
    basis: () => basisOf(pools()),
    recorded: () => catalog.self && nodeFacts(catalog.self)?.vxlan,
    endWith: (ip) => ({ ip, mac: vxlanMac(nodeName) }),
    learn: (value) => {
      learn([{ kind: "vxlanEnd", value }]);
    },
    programmed: (_end, options) => dataplane.programmed(VXLAN_DEVICE, options),
    record: (end, options) => registration.recordVxlanEnd(end, options),
    unused: (options) => unusedTunnel("vxlan", context, options),
  };
}

/** Calico's: 0x66, then the first five octets of the SHA-1 of the node's name. */
function vxlanMac(nodeName: string): Mac {
  const digest = createHash("sha1").update(nodeName).digest();
  return macFromBytes(Uint8Array.of(0x66, ...digest.subarray(0, 5)));
}
