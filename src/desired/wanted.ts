// SPDX-License-Identifier: Apache-2.0
import type { BGPConfigurationSpec } from "../model/bgp-configuration.ts";
import type { BGPFilterSpec } from "../model/bgp-filter.ts";
import type { BgpSession } from "../model/bgp-session.ts";
import type { Cidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import { type Mac, parseMac } from "../net/mac.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../net/ipv6.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import type { PrefixAdvertisement, SecretRef } from "./facts.ts";
import type { WantedGuard, WantedNat, WantedSource } from "./wanted-tables.ts";

/** The gateway of every container; no interface carries it, and no packet is ever addressed to it. */
export const GATEWAY: Ipv4 = parseIpv4("169.254.1.1");
/** The MAC address of every node end, so that it is known before the interface exists. */
export const NODE_END_MAC: Mac = parseMac("ee:ee:ee:ee:ee:ee");
/** The gateway of every container in IPv6: the link-local address that follows from {@link NODE_END_MAC} (RFC 4291 appendix A). Every node end has it. */
export const GATEWAY6: Ipv6 = parseIpv6("fe80::ecee:eeff:feee:eeee");

export function gatewayOf(family: Family): Ip {
  return family === 4 ? GATEWAY : GATEWAY6;
}

export const LOOPBACK: IfName = parseIfName("lo");

/** `RT_TABLE_MAIN` (linux/rtnetlink.h). */
export const MAIN_TABLE = 254;

/** Metric of routes to local containers: it beats any other route to the same address. */
export const WORKLOAD_METRIC = 0;
/** Likewise of IPv6, where the kernel takes 0 for 1024 (`IP6_RT_PRIO_USER`, linux/ipv6_route.h). */
export const WORKLOAD_METRIC6 = 1;
/** Metric of block routes: Calico's `ipv4NormalRoutePriority`, behind BIRD's own 32. */
export const BLOCK_METRIC = 1024;

/** An interface of ours. */
export type WantedLink =
  /** A node end, `cali…`: it comes and goes with its container. */
  | { readonly kind: "nodeEnd"; readonly name: IfName; readonly mac: Mac }
  /** The node's one VXLAN device of the family of `localIp`, whatever the number of other nodes. */
  | {
      readonly kind: "vxlan";
      readonly name: IfName;
      readonly mac: Mac;
      readonly vni: number;
      readonly port: number;
      /** The source address of outer packets. */
      readonly localIp: Ip;
      readonly mtu: number;
    }
  /** The node's one IPIP device, whatever the number of other nodes: a route's gateway says where a packet goes. */
  | { readonly kind: "ipip"; readonly name: IfName; readonly mtu: number }
  /** The node's one WireGuard device, whatever the number of other nodes. */
  | { readonly kind: "wireguard"; readonly name: IfName; readonly mtu: number };

/** The name under which the kernel's module makes its device. */
export const IPIP_DEVICE: IfName = parseIfName("tunl0");
/** `IPPROTO_IPIP` (linux/in.h): what the outer header says it holds. */
export const IPIP_PROTOCOL = 4;
/** The outer IPv4 header (RFC 2003 section 3.1). */
export const IPIP_OVERHEAD_BYTES = 20;
/** Calico's name for the VXLAN device. */
export const VXLAN_DEVICE: IfName = parseIfName("vxlan.calico");
/** Outer IPv4, UDP and VXLAN headers, and the inner Ethernet header (RFC 7348 section 5). */
export const VXLAN_OVERHEAD_BYTES = 50;
/** Calico's name for the one whose packets, outer and inner, are of IPv6. */
export const VXLAN6_DEVICE: IfName = parseIfName("vxlan-v6.calico");
/** Likewise with an outer IPv6 header (RFC 8200 section 3). */
export const VXLAN6_OVERHEAD_BYTES = 70;

/** Calico's name for the WireGuard device. */
export const WIREGUARD_DEVICE: IfName = parseIfName("wireguard.cali");
/** Outer IPv4 and UDP headers, and 16 octets before and behind what is encrypted (wireguard.com/papers/wireguard.pdf, section 5.4.6). */
export const WIREGUARD_OVERHEAD_BYTES = 60;
/** Calico's choice: the first number of those that it may take (`routeTableRanges`). */
export const WIREGUARD_TABLE = 1;
/** Calico's `wireguardRoutingRulePriority`: before the main table, at 32766. */
export const WIREGUARD_RULE_PRIORITY = 99;
/** A bit of Calico's `iptablesMarkMask`. Packets that the device itself sends have it, so that they do not come back to it. */
export const WIREGUARD_MARK = 0x100000;

/** Checksums of what the interface sends are computed before it gets them. */
export interface WantedChecksum {
  readonly ifName: IfName;
}

/** The MTU of a container's link, at both of its ends. */
export interface WantedMtu {
  /** The node end. */
  readonly ifName: IfName;
  /** Octets. */
  readonly mtu: number;
}

/** An address on an interface of ours, as a /32 or /128; one of IPv6 that counts on its link alone, as the /64 that all such are on. */
export interface WantedAddress {
  readonly ifName: IfName;
  readonly ip: Ip;
}

/** Where frames for another node's end of the tunnel go. */
export interface WantedForwarding {
  readonly ifName: IfName;
  readonly mac: Mac;
  /** The other node. */
  readonly dst: Ip;
}

/** What the programs need that stand for an IPIP device where the kernel has none. */
export type WantedIpip =
  /** The programs themselves, on the interface that has the address. */
  | { readonly kind: "programs"; readonly nodeAddress: Ipv4 }
  /** Packets to the prefix are sent inside others to the node. */
  | { readonly kind: "block"; readonly dst: Cidr; readonly node: Ipv4 }
  /** Packets inside others are taken from the node. */
  | { readonly kind: "node"; readonly address: Ipv4 };

/** What a WireGuard device is given. */
export interface WantedWireguard {
  readonly ifName: IfName;
  /** Tells which private key it has; that one is no part of what is wanted, and never shown. */
  readonly publicKey: WireguardPublicKey;
  readonly listenPort: number;
  /** The mark of the packets that the device itself sends. */
  readonly mark: number;
}

/** Another node, as a WireGuard device knows it. */
export interface WantedPeer {
  readonly ifName: IfName;
  readonly publicKey: WireguardPublicKey;
  readonly endpoint: { readonly ip: Ipv4; readonly port: number };
  /** Packets to these are sent to it, and from it only packets from these are taken. Sorted. */
  readonly allowedIps: readonly Cidr[];
}

/** Where a route leads. */
export type RouteTarget =
  | { readonly kind: "link"; readonly ifName: IfName }
  | { readonly kind: "gateway"; readonly gateway: Ip }
  /** Through a tunnel, to the other node's end of it. */
  | {
      readonly kind: "tunnel";
      readonly ifName: IfName;
      readonly gateway: Ip;
      /** The source address of the node's own packets, where the kernel would take another than this end's. */
      readonly source?: Ip;
    }
  /** The way that the underlay has to the node, for packets that get an outer header to it on that way. */
  | {
      readonly kind: "underlay";
      readonly node: Ip;
      /** Room for the outer header, in octets. */
      readonly mtu: number;
      /** The source address of the node's own packets. */
      readonly source: Ip;
    }
  | { readonly kind: "blackhole" }
  /** Goes on with the next table. */
  | { readonly kind: "throw" };

export interface WantedRoute {
  readonly table: number;
  readonly dst: Cidr;
  readonly metric: number;
  readonly target: RouteTarget;
  /**
   * - `present`: the route shall be there
   * - `untilReplaced`: BIRD is to bring the route; one of ours that is still there stays until BIRD's has come
   */
  readonly standing: "present" | "untilReplaced";
}

/** A rule of the routing policy: packets without the mark are looked up in the table first. */
export interface WantedRule {
  readonly priority: number;
  readonly table: number;
  /** Packets that have this mark are left out. */
  readonly exceptMark: number;
}

/** A permanent neighbour entry. */
export interface WantedNeighbour {
  readonly ifName: IfName;
  readonly ip: Ip;
  readonly mac: Mac;
}

/** A value under `/proc/sys`. */
export interface WantedSysctl {
  /** Path segments below `/proc/sys`; an interface name may hold dots, so they are kept apart. */
  readonly path: readonly string[];
  readonly value: string;
  /** The interface it belongs to, if it belongs to one. */
  readonly ifName: IfName | undefined;
}

/** What BIRD is to do. */
export interface WantedBird {
  readonly nodeAddress: Ipv4;
  readonly asNumber: number;
  readonly listenPort: number;
  /** The node's IPv6 address, if it has one. */
  readonly nodeAddress6: Ip | undefined;
  /** The other nodes of the full mesh, by each of their addresses. */
  readonly peers: readonly { readonly name: string; readonly address: Ip; readonly asNumber: number }[];
  readonly meshPassword: SecretRef | undefined;
  readonly gracefulRestartSeconds: number;
  /** Those that BGPPeer resources ask for. */
  readonly sessions: readonly WantedSession[];
  /** The filters that these name, sorted by name. */
  readonly filters: readonly { readonly name: string; readonly spec: BGPFilterSpec }[];
  readonly prefixAdvertisements: readonly PrefixAdvertisement[];
  readonly ignoredInterfaces: readonly string[];
  readonly logLevel: BGPConfigurationSpec["logSeverityScreen"];
  readonly bindsNodeAddress: boolean;
  /** Prefixes that this node announces. */
  readonly originated: readonly Cidr[];
  /** Prefixes within which routes are exchanged. */
  readonly poolCidrs: readonly Cidr[];
  /** Those of them whose routes BIRD puts into the kernel. */
  readonly kernelCidrs: readonly Cidr[];
  /** Pools in which routes to some nodes lead elsewhere than straight to them. */
  readonly tunnelled: readonly TunnelledPool[];
  /**
   * - `routes`: to announce, and to bring what others announce into the kernel
   * - `announcing`: to announce only, for nodes that still rely on it
   * - `none`: nothing any more
   */
  readonly purpose: "routes" | "announcing" | "none";
}

/** A BGP session that a BGPPeer asks for. */
export type WantedSession = BgpSession<SecretRef>;

export interface TunnelledPool {
  readonly cidr: Cidr;
  /** Nodes that are reached through the device. */
  readonly ifName: IfName;
  readonly through: readonly Ipv4[];
  /** Nodes that BIRD is to bring no routes to: the agent does, or nobody can. */
  readonly without: readonly Ipv4[];
}

/** A destination that has no route here, and why. */
export interface Unroutable {
  readonly dst: Cidr;
  readonly reason: string;
}

/** Every kind of object that a node should have, by the name that status and logs call it. */
export interface Wanted {
  readonly guard: WantedGuard;
  readonly guard6: WantedGuard;
  readonly source: WantedSource;
  readonly nat: WantedNat;
  readonly link: WantedLink;
  readonly checksum: WantedChecksum;
  readonly mtu: WantedMtu;
  readonly address: WantedAddress;
  readonly sysctl: WantedSysctl;
  readonly forwarding: WantedForwarding;
  readonly neighbour: WantedNeighbour;
  readonly ipip: WantedIpip;
  readonly wireguard: WantedWireguard;
  readonly peer: WantedPeer;
  readonly rule: WantedRule;
  readonly route: WantedRoute;
}

export type Kind = keyof Wanted;

/** Sorted as they are applied: what others rest on comes first. */
export const KINDS = [
  "guard",
  "guard6",
  "source",
  "nat",
  "link",
  "checksum",
  "mtu",
  "sysctl",
  "address",
  "forwarding",
  "neighbour",
  "ipip",
  "wireguard",
  "peer",
  "rule",
  "route",
] as const satisfies readonly Kind[];

/** Keys that are wanted anew or differently, and (with `undefined`) those no longer wanted. */
export type Delta<T> = ReadonlyMap<string, T | undefined>;

/** What changed in this node's desired state. */
export type DesiredDelta = { readonly [K in Kind]: Delta<Wanted[K]> } & {
  /** Whether what BIRD is to do may have changed. */
  readonly bird: boolean;
  /** What this node has ceased to announce. */
  readonly withdrawn: readonly Cidr[];
};

/** A value for every kind. */
export function forEveryKind<T>(valueOf: (kind: Kind) => T): Readonly<Record<Kind, T>> {
  return Object.fromEntries(KINDS.map((kind) => [kind, valueOf(kind)])) as Record<Kind, T>;
}

export function linkKey(name: IfName): string {
  return name;
}

export function routeKey(dst: Cidr, metric: number, table = MAIN_TABLE): string {
  return table === MAIN_TABLE ? `${dst} metric ${metric}` : `${dst} metric ${metric} table ${table}`;
}

export function ruleKey(priority: number, table: number): string {
  return `priority ${priority} table ${table}`;
}

export function addressKey(ifName: IfName, ip: Ip): string {
  return `${ip} on ${ifName}`;
}

export function forwardingKey(ifName: IfName, mac: Mac): string {
  return `${mac} dev ${ifName}`;
}

/** There is one pair of programs. */
export const IPIP_PROGRAMS_KEY = "programs";

export function ipipKey(wanted: WantedIpip): string {
  switch (wanted.kind) {
    case "programs":
      return IPIP_PROGRAMS_KEY;
    case "block":
      return `block ${wanted.dst}`;
    case "node":
      return `node ${wanted.address}`;
  }
}

export function wireguardKey(ifName: IfName): string {
  return `keys and port of ${ifName}`;
}

export function peerKey(ifName: IfName, publicKey: WireguardPublicKey): string {
  return `${publicKey} dev ${ifName}`;
}

export function neighbourKey(ifName: IfName, ip: Ip): string {
  return `${ip} dev ${ifName}`;
}

export function sysctlKey(path: readonly string[]): string {
  return path.join("/");
}
