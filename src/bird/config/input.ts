// SPDX-License-Identifier: Apache-2.0
import type { BGPConfigurationSpec } from "../../model/bgp-configuration.ts";
import type { BGPFilterSpec } from "../../model/bgp-filter.ts";
import type { BgpSession } from "../../model/bgp-session.ts";
import type { Cidr } from "../../net/cidr.ts";
import type { IfName } from "../../net/if-name.ts";
import type { Family, Ip } from "../../net/ip.ts";
import type { Ipv4 } from "../../net/ipv4.ts";

/** Everything that one node's BIRD is to do. */
export interface BirdInput {
  readonly nodeName: string;
  /** Unique among all routers that hear of each other. */
  readonly routerId: Ipv4;
  /** The autonomous system of this node: 1 … 2^32-1. */
  readonly asNumber: number;
  /** The address that this node's sessions come from, and the next hop that it announces. */
  readonly nodeAddress: Ipv4;
  /** Likewise for IPv6; without it there is no IPv6 in BIRD. */
  readonly nodeAddress6?: Ip | undefined;
  /** The TCP port of the whole cluster: this node listens on it, and dials other nodes on it. @default 179 */
  readonly listenPort?: number;
  /** The other nodes of the full mesh. */
  readonly peers: readonly BirdPeer[];
  /** The password of all sessions of the mesh (RFC 2385). */
  readonly meshPassword?: string | undefined;
  /** Sessions beside the mesh. */
  readonly sessions?: readonly BirdSession[];
  /** Those that sessions name. */
  readonly filters?: readonly BirdFilter[];
  /** Communities that routes inside of prefixes are announced with. */
  readonly prefixAdvertisements?: readonly { readonly cidr: Cidr; readonly communities: readonly string[] }[];
  /** What is announced: confirmed blocks of this node, and addresses it borrowed from blocks of others. */
  readonly originated: readonly Cidr[];
  /** Only prefixes inside these are announced, and believed of nodes. */
  readonly poolCidrs: readonly Cidr[];
  /** Of those, the ones in which learnt routes go to the kernel. @default all of them */
  readonly kernelCidrs?: readonly Cidr[];
  /** Pools in which routes to some nodes lead into a tunnel device, or to nowhere. @default none */
  readonly tunnelled?: readonly TunnelledPool[];
  /** Whether learnt routes go to the kernel. Where not, BIRD takes back the ones it put there. */
  readonly programKernel: boolean;
  /** How long peers keep forwarding to this node while its BIRD is away, in seconds: 1 … 4095 (RFC 4724 section 3). */
  readonly gracefulRestartSeconds: number;
  /** Patterns of names of links that BIRD does not look at. */
  readonly ignoredInterfaces?: readonly string[];
  /** Whether BIRD listens on the node's address alone. @default false */
  readonly bindsNodeAddress?: boolean;
  /** Absolute path. BIRD itself limits the size, and keeps one older file with `.1` behind the name. */
  readonly logFile: string;
  /** What is written there, at least. @default "Info" */
  readonly logLevel?: BGPConfigurationSpec["logSeverityScreen"];
}

export interface TunnelledPool {
  readonly cidr: Cidr;
  readonly ifName: IfName;
  /** Next hops that are reached through the device: it carries a packet to the very address. */
  readonly through: readonly Ipv4[];
  /** Next hops that no route goes to the kernel for. */
  readonly without: readonly Ipv4[];
}

export interface BirdPeer {
  readonly name: string;
  readonly address: Ip;
  readonly asNumber: number;
}

/** A session with a router outside the cluster, or with a node that a resource names. */
export type BirdSession = BgpSession<string>;

export interface BirdFilter {
  readonly name: string;
  readonly spec: BGPFilterSpec;
}

/** The families that there is anything in. */
export function familiesOf({ nodeAddress6 }: BirdInput): readonly Family[] {
  return nodeAddress6 === undefined ? [4] : [4, 6];
}
