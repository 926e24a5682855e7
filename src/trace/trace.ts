// SPDX-License-Identifier: Apache-2.0
// A trace as a value: what became of a probe, step by step, each step with its evidence; and where it broke, if it did.
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { Header, IpHeader } from "./headers.ts";
import type { DropFacts, Probe, RouteFacts } from "./observation.ts";
import type { Direction } from "./view.ts";

export interface Trace {
  /** Whether the answer came back. */
  readonly ok: boolean;
  readonly probe: Probe;
  readonly source: TraceEnd;
  readonly destination: TraceEnd;
  /** In the order of the data path, there and back. */
  readonly steps: readonly Step[];
  /** Where and why it broke; null where it did not. */
  readonly fault: Fault | null;
  /** How many probes before this one were not answered. */
  readonly lost: number;
  /** Nodes whose own clocks told when the packet passed there; their times were moved to fit between those of this one. */
  readonly aligned?: readonly string[];
}

export interface TraceEnd {
  /** Null where nobody here can look into it. */
  readonly name: string | null;
  readonly address: Ip;
  /** Null where it is not known. */
  readonly node: string | null;
}

export interface Step {
  readonly direction: Direction;
  /** The station that it happens at. */
  readonly station: string;
  readonly evidence: Evidence;
  readonly fact: Fact;
}

/**
 * - `captured`: a packet socket of that network namespace saw it
 * - `asked`: that kernel said so: a lookup for just such a packet, a table, a setting
 * - `computed`: it follows from the steps around it
 */
export type Evidence = "captured" | "asked" | "computed";

export type Fact =
  /** `isHostAddress`: the sender has a /32 or /128, which holds no other address. */
  | {
      readonly kind: "route";
      readonly dst: Ip;
      readonly route: RouteFacts;
      /** Null where the route leads to none. */
      readonly ifName: string | null;
      readonly of: "own" | "forwarded" | "outer";
      readonly isHostAddress: boolean;
    }
  | {
      readonly kind: "neighbour";
      readonly ifName: string;
      readonly ip: Ip;
      readonly mac: Mac;
      /**
       * - `permanent`: entered by somebody
       * - `known`: learnt by ARP or neighbour discovery before the probe
       * - `resolved`: asked for with the probe
       * - `heard`: learnt with the probe without asking, for the neighbour has asked itself
       */
      readonly origin: "permanent" | "known" | "resolved" | "heard";
    }
  | {
      readonly kind: "seen";
      readonly ifName: string;
      readonly direction: "in" | "out";
      /** Microseconds since the first step that was captured. */
      readonly atUs: number;
      readonly headers: readonly Header[];
    }
  /** A request or reply of ARP or neighbour discovery that was needed to send the packet on. */
  | {
      readonly kind: "resolution";
      readonly ifName: string;
      readonly direction: "in" | "out";
      /** As of `seen`. */
      readonly atUs: number;
      readonly headers: readonly Header[];
    }
  /** Of a VXLAN device: which node it sends frames to that address. */
  | { readonly kind: "forwarding"; readonly ifName: string; readonly mac: Mac; readonly node: Ip }
  /** Of a WireGuard device: which peer has the address, and where it is; null while that is not known. */
  | {
      readonly kind: "peer";
      readonly ifName: string;
      readonly publicKey: string;
      readonly allowedIp: Cidr;
      /** `<address>:<port>`. */
      readonly endpoint: string | null;
    }
  /** A rule of nftables ends it, as the kernel's own trace of the packet tells. */
  | ({ readonly kind: "dropped" } & Omit<DropFacts, "station">)
  /** `by` names the device; null: programs on the interface that the outer packet passes, `ifName`. */
  | {
      readonly kind: "encapsulated" | "decapsulated";
      readonly as: "ipip" | "vxlan";
      readonly by: string | null;
      readonly ifName: string;
      readonly outer: IpHeader;
    }
  | { readonly kind: "encrypted" | "decrypted"; readonly ifName: string }
  /** `reason`: why nobody there took part; absent where nobody was to be asked. */
  | { readonly kind: "unobserved"; readonly reason?: string }
  | { readonly kind: "delivered"; readonly ip: Ip }
  | { readonly kind: "answered"; readonly afterUs: number };

/**
 * What broke a path:
 * - `notSent`: the sender's kernel did not take it
 * - `noAnswer`: it arrived, and the other end kept silent
 * - `lost`: it left one station and came to no other
 * - `dropped`: it came to a station whose routes would have let it go on
 */
export type Cause =
  | "linkDown"
  | "noRoute"
  | "blackhole"
  | "forwardingOff"
  | "reversePath"
  | "sourceCheck"
  | "tunnelGuard"
  | "tunnel"
  | "mtu"
  | "proxyArp"
  | "neighbour"
  | "hopLimit"
  | "notSent"
  | "noAnswer"
  | "lost"
  | "dropped";

export interface Fault {
  readonly direction: Direction;
  readonly station: string;
  /** Null where it is not about one interface. */
  readonly ifName: string | null;
  readonly cause: Cause;
  /** What is wrong, a sentence. */
  readonly text: string;
  /** What to do about it, a sentence. */
  readonly remedy: string;
}
