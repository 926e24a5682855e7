// SPDX-License-Identifier: Apache-2.0
import { type WantedGuard, guardElementKey } from "../desired/wanted.ts";
import type { NftElement, NftFrame, NftMatch } from "./nft/statement.ts";

const NODES = "nodes";
const PROTOCOLS = "protocols";
const PORTS = "ports";

/**
 * `NF_IP_PRI_RAW` (linux/netfilter_ipv4.h), before everyone's rules: what is dropped here costs them nothing, and whatever they accept is still
 * looked at here. Packets that end on this machine come by when their fragments are joined, and before any tunnel has opened them; a chain
 * before that (`prerouting`, ahead of connection tracking) would find no port in a second fragment.
 */
const PRIORITY = -300;

const FROM_STRANGER: NftMatch = { field: "ip saddr", isIn: false, set: NODES };

/**
 * The table without what changes: that is in sets, and the chain stays as it is. The sets of tunnels come after the sender, so each of their
 * elements counts exactly what is dropped for it.
 */
export const GUARD_FRAME: NftFrame = [
  { kind: "set", name: NODES, type: "ipv4_addr", counter: false },
  { kind: "set", name: PROTOCOLS, type: "inet_proto", counter: true },
  { kind: "set", name: PORTS, type: "inet_service", counter: true },
  { kind: "chain", name: "strangers", priority: PRIORITY },
  {
    kind: "rule",
    chain: "strangers",
    matches: [FROM_STRANGER, { field: "ip protocol", isIn: true, set: PROTOCOLS }],
  },
  {
    kind: "rule",
    chain: "strangers",
    matches: [FROM_STRANGER, { field: "udp dport", isIn: true, set: PORTS }],
  },
];

/** Objects are plain data whose fields stand in one order; nft lists them in the order in which they were made. */
export function isGuardFrame(frame: NftFrame | undefined): boolean {
  return JSON.stringify(frame) === JSON.stringify(GUARD_FRAME);
}

/** The element that a wanted item is. */
export function elementOf(wanted: Exclude<WantedGuard, { readonly kind: "table" }>): NftElement {
  switch (wanted.kind) {
    case "node":
      return { kind: "element", set: NODES, value: wanted.address };
    case "protocol":
      return { kind: "element", set: PROTOCOLS, value: String(wanted.protocol), comment: wanted.ifName };
    case "port":
      return { kind: "element", set: PORTS, value: String(wanted.port), comment: wanted.ifName };
  }
}

const KEYED: Readonly<Record<string, "node" | "protocol" | "port">> = {
  [NODES]: "node",
  [PROTOCOLS]: "protocol",
  [PORTS]: "port",
};

/** The key of the item that the element is. One of a set that is not made here has a key that nothing is wanted at. */
export function elementKey({ set, value }: NftElement): string {
  return guardElementKey(KEYED[set] ?? set, value);
}
