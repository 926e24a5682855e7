// SPDX-License-Identifier: Apache-2.0
// The guards of tunnels: packets inside others are taken from nodes alone.
import {
  type GuardKind,
  type WantedGuard,
  type WantedGuardElement,
  guardElementKey,
  guardTableKey,
} from "../desired/wanted-tables.ts";
import type { LinkTable } from "./link.ts";
import type { Link } from "./netlink/link.ts";
import type { NftBaseChain, NftElement, NftFrame, NftMatch, NftRule, NftSet } from "./nft/statement.ts";
import type { Plan } from "./plan.ts";
import { Ruleset, type RulesetForm } from "./ruleset.ts";

const NODES = "nodes";
const PROTOCOLS = "protocols";
const PORTS = "ports";

/**
 * `NF_IP_PRI_RAW` (linux/netfilter_ipv4.h, of IPv6 alike), before everyone's rules: what is dropped here costs them nothing, and whatever they accept
 * is still looked at here. IPv4 packets that end on this machine come by when their fragments are joined, and before any tunnel has opened them; a chain
 * before that (`prerouting`, ahead of connection tracking) would find no port in a second fragment.
 */
const PRIORITY = -300;

const PORTS_SET: NftSet = { kind: "set", name: PORTS, type: "inet_service", counter: true, interval: false };
const CHAIN: NftBaseChain = {
  kind: "chain",
  name: "strangers",
  type: "filter",
  hook: "input",
  priority: PRIORITY,
};

/** The sets of tunnels come after the sender, so each of their elements counts exactly what is dropped for it. */
export const GUARD_FRAME: NftFrame = [
  nodesSet("ipv4_addr"),
  { kind: "set", name: PROTOCOLS, type: "inet_proto", counter: true, interval: false },
  PORTS_SET,
  CHAIN,
  dropFromStrangers("ip saddr", { field: "ip protocol", isIn: true, set: PROTOCOLS }),
  dropFromStrangers("ip saddr", { field: "udp dport", isIn: true, set: PORTS }),
];

/**
 * Here fragments come by before they are joined, unless something tracks connections. The first of them has the port, or the kernel does not join
 * them (RFC 8200 section 4.5; `ipv6frag_thdr_truncated()`, net/ipv6/reassembly.c), and without the first the rest is nothing.
 */
export const GUARD6_FRAME: NftFrame = [
  nodesSet("ipv6_addr"),
  PORTS_SET,
  CHAIN,
  dropFromStrangers("ip6 saddr", { field: "udp dport", isIn: true, set: PORTS }),
];

function nodesSet(type: "ipv4_addr" | "ipv6_addr"): NftSet {
  return { kind: "set", name: NODES, type, counter: false, interval: false };
}

function dropFromStrangers(sender: "ip saddr" | "ip6 saddr", match: NftMatch): NftRule {
  return {
    kind: "rule",
    chain: CHAIN.name,
    matches: [{ field: sender, isIn: false, set: NODES }, match],
    counter: false,
    verdict: { kind: "drop" },
  };
}

const KEYED: Readonly<Record<string, WantedGuardElement["kind"]>> = {
  [NODES]: "node",
  [PROTOCOLS]: "protocol",
  [PORTS]: "port",
};

function formOf(kind: GuardKind): RulesetForm<WantedGuard> {
  const frame = kind === "guard" ? GUARD_FRAME : GUARD6_FRAME;
  return {
    kind,
    title: kind === "guard" ? "guard of tunnels" : "guard of IPv6 tunnels",
    table: { family: kind === "guard" ? "ip" : "ip6", name: "margay" },
    tableKey: guardTableKey(kind),
    write: (wanted) => (wanted.kind === "table" ? { kind: "table", frame } : elementOf(wanted)),
    keyOf: ({ set, value }) => guardElementKey(kind, KEYED[set] ?? set, value),
  };
}

export type Guard = Ruleset<WantedGuard>;

export function createGuard(kind: GuardKind): Guard {
  return new Ruleset(formOf(kind));
}

function elementOf(wanted: WantedGuardElement): NftElement {
  switch (wanted.kind) {
    case "node":
      return { kind: "element", set: NODES, value: wanted.address };
    case "protocol":
      return { kind: "element", set: PROTOCOLS, value: String(wanted.protocol), comment: wanted.ifName };
    case "port":
      return { kind: "element", set: PORTS, value: String(wanted.port), comment: wanted.ifName };
  }
}

/**
 * A tunnel does not open before its guard stands. One that is open stays so: the guard may have been taken away, and comes back.
 */
export function planBehindGuard<R>(
  plan: Plan<Link, R>,
  name: string,
  links: LinkTable,
  guards: readonly Guard[],
): Plan<Link, R> {
  const opens = plan.kind === "create" || (plan.kind === "change" && plan.after.up);
  if (!opens || links.byName(name)?.up === true) return plan;
  const [reason] = guards.flatMap(({ table }) => table.pendingOn(name));
  return reason === undefined ? plan : { kind: "blocked", reason };
}
