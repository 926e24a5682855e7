// SPDX-License-Identifier: Apache-2.0
// This node's ends of tunnels, and what follows from them, whatever their kind.
import { type Cidr, cidrFamily } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { NodeFacts, PoolFacts, Settings, TunnelEnds, VxlanKind } from "./facts.ts";
import { guardPeer, openTunnels, ownGuard } from "./guard.ts";
import { ipipPeer, ownIpip } from "./ipip.ts";
import type { RoomFor } from "./mtu.ts";
import type { Contributed } from "./outcome.ts";
import { tunnelFor, vxlanKind } from "./path.ts";
import { ownVxlan, vxlanPeer } from "./vxlan.ts";
import { ownWireguard, wireguardPeer } from "./wireguard.ts";

export const NO_ENDS: TunnelEnds = {
  ipip: undefined,
  vxlan: undefined,
  vxlan6: undefined,
  wireguard: undefined,
};

/** Sorted as people are told of them. */
const TUNNELS = ["ipip", "vxlan", "vxlan6", "wireguard"] as const satisfies readonly RoomFor[];

/** This node's end of one kind of tunnel. */
export interface OwnEnd {
  readonly kind: RoomFor;
  /** Its address inside the tunnel. */
  readonly address: Ip;
  /** What fits into the tunnel, in octets; `undefined` while the underlay is not known. */
  readonly mtu: number | undefined;
  /** Of VXLAN: whether checksums of what enters it are left to the network card, or the node computes them because that does it wrongly. */
  readonly checksums?: "offloaded" | "computed";
}

/** What tunnels depend on besides a node's own facts. */
export interface TunnelContext {
  /** This node's name. */
  readonly self: string;
  readonly ends: TunnelEnds;
  readonly settings: Settings;
  readonly isChecksumOffloadBroken: (tunnel: VxlanKind) => boolean;
  /** What fits into a tunnel, in octets; `undefined` while the underlay is not known. */
  readonly mtuOf: (tunnel: RoomFor) => number | undefined;
  readonly node: (name: string) => NodeFacts | undefined;
  /** Whether the node has a WireGuard key that no other has. */
  readonly hasOwnKey: (name: string) => boolean;
  /** The IPv4 prefixes that the node holds. */
  readonly heldBy: (name: string) => readonly Cidr[];
}

/** What one node causes, by what it is for. */
type TunnelParts = Readonly<Record<"guard" | RoomFor, Contributed>>;

const NOTHING: Contributed = {};

/** This node's own ends, or what they need to know of another node. */
export function tunnelParts(name: string, context: TunnelContext): TunnelParts {
  const node = context.node(name);
  return name === context.self ? ownParts(node, context) : peerParts(name, node, context);
}

function ownParts(here: NodeFacts | undefined, context: TunnelContext): TunnelParts {
  const { ends, settings, mtuOf } = context;
  const { ipip, wireguard } = ends;
  const [ipipMtu, wireguardMtu] = [mtuOf("ipip"), mtuOf("wireguard")];
  return {
    guard: ownGuard(openTunnels(ends, settings)),
    ipip:
      ipip === undefined || here === undefined || ipipMtu === undefined
        ? NOTHING
        : ownIpip(ipip, here, ipipMtu),
    vxlan: ownVxlanPart(4, here, context),
    vxlan6: ownVxlanPart(6, here, context),
    wireguard:
      wireguard === undefined || wireguardMtu === undefined
        ? NOTHING
        : ownWireguard(wireguard, settings, wireguardMtu),
  };
}

function ownVxlanPart(family: Family, here: NodeFacts | undefined, context: TunnelContext): Contributed {
  const { ends, settings, mtuOf, isChecksumOffloadBroken } = context;
  const tunnel = vxlanKind(family);
  const end = ends[tunnel];
  const localIp = family === 4 ? here?.address : here?.ipv6?.address;
  const mtu = mtuOf(tunnel);
  if (end === undefined || localIp === undefined || mtu === undefined) return NOTHING;
  return ownVxlan(end, settings, {
    localIp,
    mtu,
    isChecksumOffloadBroken: isChecksumOffloadBroken(tunnel),
  });
}

function peerParts(name: string, node: NodeFacts | undefined, context: TunnelContext): TunnelParts {
  const { ends, settings, hasOwnKey, heldBy } = context;
  const { ipip, vxlan, vxlan6, wireguard } = ends;
  const isPeer = wireguard !== undefined && hasOwnKey(name);
  return {
    guard: node === undefined ? NOTHING : guardPeer(node, openTunnels(ends, settings)),
    ipip: ipip === undefined || node === undefined ? NOTHING : ipipPeer(node, ipip),
    vxlan: vxlan === undefined || node === undefined ? NOTHING : vxlanPeer(node, 4),
    vxlan6: vxlan6 === undefined || node === undefined ? NOTHING : vxlanPeer(node, 6),
    wireguard: !isPeer || node === undefined ? NOTHING : wireguardPeer(node, heldBy(name), settings),
  };
}

/** For people. */
export function ownEnds({ ends, mtuOf, isChecksumOffloadBroken }: TunnelContext): readonly OwnEnd[] {
  const checksumsIn = (tunnel: VxlanKind) =>
    isChecksumOffloadBroken(tunnel) ? ("computed" as const) : ("offloaded" as const);
  return TUNNELS.flatMap((kind) => {
    const address = ends[kind]?.ip;
    if (address === undefined) return [];
    const isVxlan = kind === "vxlan" || kind === "vxlan6";
    return [{ kind, address, mtu: mtuOf(kind), ...(isVxlan && { checksums: checksumsIn(kind) }) }];
  });
}

/** A tunnel that no pool wants any more is in use for as long as its end is there. */
export function tunnelsInUse(
  ends: TunnelEnds,
  pools: Iterable<PoolFacts>,
  { wireguardEnabled }: Settings,
): ReadonlySet<RoomFor> {
  const wanted = [...pools].flatMap(({ cidr, encapsulation: { kind } }) =>
    kind === "none" ? [] : [tunnelFor(kind, cidrFamily(cidr))],
  );
  return new Set([
    ...wanted,
    ...TUNNELS.filter((kind) => ends[kind] !== undefined),
    ...(wireguardEnabled ? (["wireguard"] as const) : []),
  ]);
}
