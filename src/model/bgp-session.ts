// SPDX-License-Identifier: Apache-2.0
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { BGPPeerSpec } from "./bgp-peer.ts";

/** The states of RFC 4271 section 8.2.2, and BIRD's own: `Passive` waits to be dialled, `Close` and `Down` are at their end. */
export const SESSION_STATES = [
  "Idle",
  "Connect",
  "Active",
  "Passive",
  "OpenSent",
  "OpenConfirm",
  "Established",
  "Close",
  "Down",
] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** A BGP session that a BGPPeer asks for; its password, or where that is kept. */
export interface BgpSession<Password> {
  /** Of the BGPPeer. */
  readonly name: string;
  readonly address: Ip;
  readonly port: number;
  readonly asNumber: number;
  readonly localAsNumber: number;
  /** The node of the cluster that it is with, if it is: then it is believed inside of pools only. */
  readonly node: string | undefined;
  /** Whether the other side dials. */
  readonly isPassive: boolean;
  /** Whether the peer is on a network of this node. */
  readonly isDirect: boolean;
  /** Set where the peer is a client that routes are reflected to, under this identifier (RFC 4456). */
  readonly clusterId: Ipv4 | undefined;
  /** Whether other nodes' routes are announced to a node, as a reflector does; those outside the cluster hear of them in any case. */
  readonly passesOn: boolean;
  readonly nextHop: "Auto" | "Self" | "Keep";
  /** Whether it comes from the node's address, whatever the route to the peer. */
  readonly bindsAddress: boolean;
  readonly password: Password | undefined;
  /** How many hops away the peer is at most, where that is checked (RFC 5082). */
  readonly ttlSecurity: number | undefined;
  readonly restartSeconds: number | undefined;
  readonly keepaliveSeconds: number | undefined;
  /** How often the local AS number may be in the path of a route that is believed. */
  readonly allowedLocalAs: number | undefined;
  /** The gateway behind which the peer is. */
  readonly reachableBy: Ip | undefined;
  readonly filters: readonly string[];
  readonly bfd: BGPPeerSpec["bfd"];
}
