// SPDX-License-Identifier: Apache-2.0
import type { BGPConfigurationSpec } from "../model/bgp-configuration.ts";
import type { BGPFilterSpec } from "../model/bgp-filter.ts";
import type { BGPPeerSpec } from "../model/bgp-peer.ts";
import type { Labels } from "../model/selector.ts";
import type { Cidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Ipv6 } from "../net/ipv6.ts";
import type { Mac } from "../net/mac.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import type { PortRange } from "./wanted-tables.ts";

/** Tunnels of which a node has an end or not. Packets of each family have a VXLAN of their own, whose outer packets are of that family too. */
export type TunnelKind = "ipip" | "vxlan" | "vxlan6";

export type VxlanKind = Extract<TunnelKind, "vxlan" | "vxlan6">;

/** Who tells this node's kernel where other nodes' containers are. */
export type RouteSource = "bird" | "datastore";

/** What the calculation needs to know of a Node. */
export interface NodeFacts {
  readonly address: Ipv4;
  /** The underlay network that the address is on. */
  readonly subnet: Cidr;
  /** The node's own AS number, where it differs from the cluster's. */
  readonly asNumber: number | undefined;
  readonly labels?: Labels | undefined;
  /** Makes the node a route reflector of that cluster (RFC 4456). */
  readonly routeReflectorClusterId?: Ipv4 | undefined;
  /** The node's IPv6 address, and the network that it is on. */
  readonly ipv6?: { readonly address: Ip; readonly subnet: Cidr } | undefined;
  /**
   * What the node says of itself: `datastore`, it needs nobody's announcements; `starting`, it is about to rely on BIRD, which does not
   * announce yet; `bird`, it relies on BIRD, and announces.
   */
  readonly routeSource: RouteSource | "starting";
  /** The node's end of VXLAN tunnels, once it has one. */
  readonly vxlan?: VxlanEnd | undefined;
  /** Likewise of those of IPv6. */
  readonly vxlan6?: VxlanEnd<Ipv6> | undefined;
  /** The node's address inside IPIP tunnels, once it has an end of them. */
  readonly ipip?: Ipv4 | undefined;
  /** The node's end of WireGuard tunnels, once it has one. Calico may leave out its address. */
  readonly wireguard?: { readonly publicKey: WireguardPublicKey; readonly ip: Ipv4 | undefined } | undefined;
}

/** This node's own end of WireGuard tunnels. */
export interface WireguardEnd {
  readonly ip: Ipv4;
  readonly publicKey: WireguardPublicKey;
}

/** By what a node has its end of IPIP tunnels: the kernel's device, or programs on the underlay where the kernel has none. */
export type IpipDriver = "device" | "bpf";

/** This node's own end of IPIP tunnels. */
export interface IpipEnd {
  readonly ip: Ipv4;
  readonly driver: IpipDriver;
}

/** A node's end of VXLAN tunnels: what other nodes need to know to send to it. */
export interface VxlanEnd<Address extends Ip = Ipv4> {
  readonly ip: Address;
  readonly mac: Mac;
}

/** This node's ends of tunnels, as its agent knows them. */
export interface TunnelEnds {
  readonly ipip: IpipEnd | undefined;
  readonly vxlan: VxlanEnd | undefined;
  readonly vxlan6: VxlanEnd<Ipv6> | undefined;
  readonly wireguard: WireguardEnd | undefined;
}

/** An address that is in use on a node other than the one its block is affine to. */
export interface StrayAddress {
  readonly ip: Ip;
  readonly node: string;
}

/** What the calculation needs to know of an IPAM block. */
export interface BlockFacts {
  readonly cidr: Cidr;
  /** The node that the block is affine to, if any. */
  readonly node: string | undefined;
  readonly strays: readonly StrayAddress[];
}

/** What the calculation needs to know of a workload endpoint on this node. */
export interface EndpointFacts {
  readonly ifName: IfName;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
}

/** How packets between nodes travel: as they are, or inside others. */
export type Encapsulation =
  | { readonly kind: "none" }
  /** `crossSubnet`: only between nodes that are on different networks. */
  | { readonly kind: "vxlan"; readonly crossSubnet: boolean }
  | { readonly kind: "ipip"; readonly crossSubnet: boolean };

export interface PoolFacts {
  readonly cidr: Cidr;
  readonly encapsulation: Encapsulation;
  readonly disableBgpExport: boolean;
  /** Packets that leave for an address in no pool get one of the node. @default false */
  readonly natOutgoing?: boolean;
}

/** Where a password is found on each node. */
export type SecretRef = Readonly<{ name: string; key: string }>;

export interface PrefixAdvertisement {
  readonly cidr: Cidr;
  readonly communities: readonly string[];
}

/** Cluster-wide settings, with their defaults filled in. */
export interface Settings {
  readonly routeSource: RouteSource;
  readonly asNumber: number;
  readonly nodeMesh: boolean;
  /** For how long peers keep what a node announced while its BIRD is away, in seconds. */
  readonly meshRestartSeconds: number;
  readonly meshPassword: SecretRef | undefined;
  /** What is announced with which communities (RFC 1997, RFC 8092). */
  readonly prefixAdvertisements: readonly PrefixAdvertisement[];
  /** Patterns of names of links that BIRD is not to look at. */
  readonly ignoredInterfaces: readonly string[];
  readonly birdLogLevel: BGPConfigurationSpec["logSeverityScreen"];
  /** Whether BIRD listens on the node's address alone. */
  readonly bindsNodeAddress: boolean;
  readonly listenPort: number;
  readonly vxlanVni: number;
  readonly vxlanPort: number;
  /** Whether checksums that are left to a network card come out wrong inside VXLAN; `undefined` where it is to be found out. */
  readonly isChecksumOffloadBroken: boolean | undefined;
  /** What fits into each tunnel, in octets, where a person has said so; 0 where it is to be worked out. */
  readonly tunnelMtus: Readonly<Record<TunnelKind | "wireguard", number>>;
  readonly wireguardEnabled: boolean;
  readonly wireguardPort: number;
  /** The IPv4 address that translated packets get; `undefined` for that of the interface that they leave by. */
  readonly natAddress: Ipv4 | undefined;
  /** The source ports that they get. */
  readonly natPorts: PortRange | undefined;
  /** Whether packets to nodes are not translated. */
  readonly natSparesHosts: boolean;
}

/** Calico's defaults, and BIRD as the source of routes. */
export const DEFAULT_SETTINGS: Settings = {
  routeSource: "bird",
  asNumber: 64512,
  nodeMesh: true,
  meshRestartSeconds: 120,
  meshPassword: undefined,
  prefixAdvertisements: [],
  ignoredInterfaces: [],
  birdLogLevel: "Info",
  bindsNodeAddress: false,
  listenPort: 179,
  vxlanVni: 4096,
  vxlanPort: 4789,
  isChecksumOffloadBroken: undefined,
  tunnelMtus: { ipip: 0, vxlan: 0, vxlan6: 0, wireguard: 0 },
  wireguardEnabled: false,
  wireguardPort: 51820,
  natAddress: undefined,
  natPorts: undefined,
  natSparesHosts: false,
};

/** One thing that is now so; `value: undefined` says that it is no more. */
export type Fact =
  | { readonly kind: "node"; readonly name: string; readonly value: NodeFacts | undefined }
  | { readonly kind: "block"; readonly cidr: Cidr; readonly value: BlockFacts | undefined }
  /** A node's claim to a block; `value` says whether it is confirmed. */
  | {
      readonly kind: "affinity";
      readonly node: string;
      readonly cidr: Cidr;
      readonly value: boolean | undefined;
    }
  | { readonly kind: "endpoint"; readonly name: string; readonly value: EndpointFacts | undefined }
  | { readonly kind: "pool"; readonly name: string; readonly value: PoolFacts | undefined }
  | { readonly kind: "bgpPeer"; readonly name: string; readonly value: BGPPeerSpec | undefined }
  | { readonly kind: "bgpFilter"; readonly name: string; readonly value: BGPFilterSpec | undefined }
  | { readonly kind: "settings"; readonly value: Settings }
  /** This node's own end of VXLAN tunnels. Others learn of it by its Node, later: they may send once they know. */
  | { readonly kind: "vxlanEnd"; readonly value: VxlanEnd | undefined }
  /** Likewise of those of IPv6. */
  | { readonly kind: "vxlan6End"; readonly value: VxlanEnd<Ipv6> | undefined }
  /** Likewise of IPIP tunnels. */
  | { readonly kind: "ipipEnd"; readonly value: IpipEnd | undefined }
  /** Likewise of WireGuard tunnels. */
  | { readonly kind: "wireguardEnd"; readonly value: WireguardEnd | undefined }
  /** The interface that carries this node's address; its MTU in bytes. */
  | { readonly kind: "underlay"; readonly mtu: number }
  /** What was found out of checksums that are left to this node's network card inside VXLAN of one family. */
  | { readonly kind: "checksumOffload"; readonly tunnel: VxlanKind; readonly isBroken: boolean };
