// SPDX-License-Identifier: Apache-2.0
// What was read of the live network for one trace, as a value: what captures saw of a marked probe, and what kernels say they do with such
// a packet. Nothing in here is concluded; that is what the other files are for.
import type { Cidr } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { Header } from "./headers.ts";

/** The packet that is sent, by what tells it and its answers from all others. */
export type Probe = {
  readonly src: Ip;
  readonly dst: Ip;
  /** Octets, with the IP header. */
  readonly packetBytes: number;
} & (
  | { readonly kind: "icmp"; readonly identifier: number; readonly sequence: number }
  | { readonly kind: "udp" | "tcp"; readonly srcPort: number; readonly dstPort: number }
);

/** A network namespace that was looked into. */
export interface Station {
  readonly name: string;
  /** A `machine` is a router of the underlay, or a machine outside the cluster. */
  readonly kind: "container" | "node" | "machine";
  /** Of a container: the node, and the node's end of its link. */
  readonly attachment?: { readonly node: string; readonly ifName: string };
  readonly links: readonly LinkFacts[];
  readonly addresses: readonly AddressFacts[];
  /** The tables before the probe, and after it. */
  readonly neighbours: {
    readonly before: readonly NeighbourFacts[];
    readonly after: readonly NeighbourFacts[];
  };
  /** Of VXLAN devices that the packet passed: where frames to the neighbours there go. */
  readonly forwarding?: readonly { readonly ifIndex: number; readonly mac: Mac; readonly dst: Ip }[];
  /** Of WireGuard devices that the packet passed: the peers that may have its addresses. */
  readonly peers?: readonly PeerFacts[];
  /** The kernel's answers to the questions that this trace has raised; asked after the probe. */
  readonly lookups: readonly Lookup[];
  /** Settings under /proc/sys, by their paths, such as `net/ipv4/ip_forward`; absent where there is no such setting. */
  readonly settings: Readonly<Record<string, string>>;
  /** Read only where the probe was not answered: the main routing table. */
  readonly routes?: readonly RouteFacts[];
  /** Read only where the probe was not answered: elements of sets of Margay's nftables, by `<table> <set>`; absent where there is no such table. */
  readonly filters?: Readonly<Record<string, readonly string[]>>;
  /** What runs on a node, where that is known. */
  readonly processes?: { readonly agent: boolean; readonly bird: boolean };
}

export interface LinkFacts {
  readonly index: number;
  readonly name: string;
  readonly kind?: string;
  /** Of a VXLAN device: the UDP port that its packets go to. */
  readonly vxlanPort?: number;
  /** Of a VXLAN device: the family that its packets are of. */
  readonly vxlanFamily?: Family;
  readonly mac?: Mac;
  /** Octets. */
  readonly mtu: number;
  readonly up: boolean;
  readonly running: boolean;
}

export interface AddressFacts {
  readonly ifIndex: number;
  readonly ip: Ip;
  readonly prefixLength: number;
}

export interface NeighbourFacts {
  readonly ifIndex: number;
  readonly ip: Ip;
  readonly mac?: Mac;
  readonly state: NeighbourState;
}

/** - `permanent`: somebody entered it - `known`: learnt by ARP or neighbour discovery, fresh or stale - `unknown`: asked for, without an answer so far or at all */
export type NeighbourState = "permanent" | "known" | "unknown";

export interface PeerFacts {
  readonly ifIndex: number;
  readonly publicKey: string;
  readonly allowedIps: readonly Cidr[];
  /** `<address>:<port>`; absent while it is not known. */
  readonly endpoint?: string;
}

export interface RouteFacts {
  readonly table: number;
  readonly dst: Cidr;
  /** `unicast`, `local`, `blackhole` … */
  readonly type: string;
  /** Who made it: `RTPROT_*`. */
  readonly protocol: number;
  readonly metric: number;
  readonly ifIndex?: number;
  readonly gateway?: Ip;
  readonly onlink: boolean;
  /** Octets; absent where the link's counts. */
  readonly mtu?: number;
  readonly nextHops?: readonly { readonly ifIndex: number; readonly gateway?: Ip }[];
}

/** What a kernel is asked: the way of packets to an address, of its own or of those that come in by an interface. */
export interface Question {
  readonly dst: Ip;
  /** The sender's address. */
  readonly src?: Ip;
  /** Where such a packet comes in; absent for one that the station itself sends. */
  readonly inIfIndex?: number;
}

export interface Lookup extends Question {
  readonly result:
    | { readonly kind: "route"; readonly route: RouteFacts }
    /** The name of the error: `ENETUNREACH`, `EHOSTUNREACH`, `EINVAL` … */
    | { readonly kind: "refused"; readonly code: string };
}

/** One frame at one capture point. */
export interface Sighting {
  readonly station: string;
  readonly ifIndex: number;
  readonly direction: "in" | "out";
  /** Microseconds since the first packet of the trace that was seen, by the clock that all stations of one machine have. */
  readonly atUs: number;
  readonly headers: readonly Header[];
}

export interface DropFacts {
  readonly station: string;
  /** `<family> <name>`. */
  readonly table: string;
  readonly chain: string;
  /** As nft writes it; null where it is the chain's policy. */
  readonly rule: string | null;
  /** Whether it drops the packet of a tunnel that has the probe inside. */
  readonly isAround: boolean;
}

export interface Observation {
  readonly probe: Probe;
  /** Names of stations; the destination's is absent where nobody here can look into it. */
  readonly source: string;
  readonly destination?: string;
  readonly stations: readonly Station[];
  /** In the order of time. */
  readonly sightings: readonly Sighting[];
  /** What was seen of ARP or neighbour discovery meanwhile, in the order of time, whoever asked. */
  readonly resolutions: readonly Sighting[];
  /** How many probes before this one were not answered. */
  readonly lost: number;
  /** Looked for only where the probe came to a station and did not leave it: the rule of nftables that drops it there. */
  readonly drop?: DropFacts;
  /** Why no other node takes part, where one should. */
  readonly silence?: string;
  /** Nodes whose own clocks told when frames passed there: those times were moved to fit between those of this one. */
  readonly aligned?: readonly string[];
  /** Why the kernel of the source did not take the probe: the name of the error. */
  readonly sendError?: string;
}
