// SPDX-License-Identifier: Apache-2.0
// The guard of tunnels: packets inside others are taken from nodes alone.
import {
  GUARD_TABLE_KEY,
  type WantedGuard,
  type WantedGuardElement,
  guardElementKey,
} from "../desired/wanted-tables.ts";
import type { LinkTable } from "./link.ts";
import type { Link } from "./netlink/link.ts";
import type { NftElement, NftFrame, NftMatch } from "./nft/statement.ts";
import type { Plan } from "./plan.ts";
import { Ruleset, type RulesetForm } from "./ruleset.ts";

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

/** The sets of tunnels come after the sender, so each of their elements counts exactly what is dropped for it. */
export const GUARD_FRAME: NftFrame = [
  { kind: "set", name: NODES, type: "ipv4_addr", counter: false, interval: false },
  { kind: "set", name: PROTOCOLS, type: "inet_proto", counter: true, interval: false },
  { kind: "set", name: PORTS, type: "inet_service", counter: true, interval: false },
  { kind: "chain", name: "strangers", type: "filter", hook: "input", priority: PRIORITY },
  {
    kind: "rule",
    chain: "strangers",
    matches: [FROM_STRANGER, { field: "ip protocol", isIn: true, set: PROTOCOLS }],
    counter: false,
    verdict: { kind: "drop" },
  },
  {
    kind: "rule",
    chain: "strangers",
    matches: [FROM_STRANGER, { field: "udp dport", isIn: true, set: PORTS }],
    counter: false,
    verdict: { kind: "drop" },
  },
];

const KEYED: Readonly<Record<string, WantedGuardElement["kind"]>> = {
  [NODES]: "node",
  [PROTOCOLS]: "protocol",
  [PORTS]: "port",
};

const GUARD: RulesetForm<WantedGuard> = {
  kind: "guard",
  title: "guard of tunnels",
  table: { family: "ip", name: "margay" },
  tableKey: GUARD_TABLE_KEY,
  write: (wanted) => (wanted.kind === "table" ? { kind: "table", frame: GUARD_FRAME } : elementOf(wanted)),
  keyOf: ({ set, value }) => guardElementKey(KEYED[set] ?? set, value),
};

export type Guard = Ruleset<WantedGuard>;

export function createGuard(): Guard {
  return new Ruleset(GUARD);
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
  { table }: Guard,
): Plan<Link, R> {
  const opens = plan.kind === "create" || (plan.kind === "change" && plan.after.up);
  if (!opens || links.byName(name)?.up === true) return plan;
  const [reason] = table.pendingOn(name);
  return reason === undefined ? plan : { kind: "blocked", reason };
}
