// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Fact, NodeFacts, VxlanEnd } from "../desired/facts.ts";
import { vxlanDevice } from "../desired/vxlan.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../net/ipv6.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";
import { nodeFacts } from "./facts.ts";
import { type TunnelContext, basisOf, poolsWith, unusedTunnel } from "./tunnels.ts";
import type { TunnelKind } from "./tunnel-end.ts";

/** What one family's VXLAN has that the other's has not. */
interface Flavour<Address extends Ip> {
  readonly name: string;
  readonly tunnel: "vxlan" | "vxlan6";
  readonly family: Family;
  readonly handle: string;
  readonly addressType: string;
  /** What the MAC address follows from. */
  readonly macName: string;
  readonly parse: (ip: Ip) => Address;
  readonly fact: (value: VxlanEnd<Address> | undefined) => Fact;
  readonly recorded: (facts: NodeFacts) => VxlanEnd<Address> | undefined;
}

/** VXLAN: one device, whose end is an address and a MAC address. */
export function vxlanTunnel(context: TunnelContext): TunnelKind<VxlanEnd> {
  return vxlanKind(context, {
    name: "VXLAN",
    tunnel: "vxlan",
    family: 4,
    handle: "vxlan-tunnel-addr",
    addressType: "vxlanTunnelAddress",
    macName: context.nodeName,
    parse: parseIpv4,
    fact: (value) => ({ kind: "vxlanEnd", value }),
    recorded: ({ vxlan }) => vxlan,
  });
}

/** The same for IPv6, on a node that has an IPv6 address: packets in both layers are of it. */
export function vxlan6Tunnel(context: TunnelContext): TunnelKind<VxlanEnd<Ipv6>> {
  return vxlanKind(context, {
    name: "IPv6 VXLAN",
    tunnel: "vxlan6",
    family: 6,
    handle: "vxlan-v6-tunnel-addr",
    addressType: "vxlanV6TunnelAddress",
    macName: `${context.nodeName}-v6`,
    parse: parseIpv6,
    fact: (value) => ({ kind: "vxlan6End", value }),
    recorded: ({ vxlan6 }) => vxlan6,
  });
}

function vxlanKind<Address extends Ip>(
  context: TunnelContext,
  flavour: Flavour<Address>,
): TunnelKind<VxlanEnd<Address>> {
  const { nodeName, catalog, dataplane, registration, learn } = context;
  const { name, tunnel, family, handle, addressType, macName, parse, fact, recorded } = flavour;
  const pools = () => poolsWith(catalog, "vxlanMode", family);
  const self = () => catalog.self && nodeFacts(catalog.self);
  return {
    name,
    family,
    handleId: `${handle}-${nodeName}`,
    addressType,
    isWanted: () => pools().length > 0 && (family === 4 || self()?.ipv6 !== undefined),
    pools,
    basis: () => basisOf(pools()),
    recorded() {
      const facts = self();
      return facts && recorded(facts);
    },
    endWith: (ip) => ({ ip: parse(ip), mac: vxlanMac(macName) }),
    learn: (value) => {
      learn([fact(value)]);
    },
    programmed: ({ ip }, options) => dataplane.programmed(vxlanDevice(familyOf(ip)), options),
    record: (end, options) => registration.recordVxlanEnd(family, end, options),
    unused: (options) => unusedTunnel(tunnel, context, options),
  };
}

/** Calico's: 0x66, then the first five octets of the SHA-1 of the node's name, which has "-v6" behind it for IPv6. */
function vxlanMac(name: string): Mac {
  const digest = createHash("sha1").update(name).digest();
  return macFromBytes(Uint8Array.of(0x66, ...digest.subarray(0, 5)));
}
