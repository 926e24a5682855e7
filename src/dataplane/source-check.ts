// SPDX-License-Identifier: Apache-2.0
// The check of source addresses (RFC 2827): a node end takes packets from its container's addresses alone. The reverse-path filter of the
// kernel (`rp_filter`) knows IPv4 only, and asks where an address is routed to, so it says nothing of an interface that nobody has set up.
import {
  SOURCE_TABLE_KEY,
  type WantedSource,
  type WantedSourceElement,
  sourceElementKey,
} from "../desired/wanted-tables.ts";
import { LINK_LOCAL } from "../net/cidr.ts";
import { familyOf } from "../net/ip.ts";
import type { NftElement, NftFrame, NftMatch, NftRule } from "./nft/statement.ts";
import { Ruleset, type RulesetForm } from "./ruleset.ts";

const OWN4 = "own4";
const OWN6 = "own6";
const CHAIN = "containers";

/**
 * `NF_IP_PRI_RAW` (linux/netfilter_ipv4.h), before connection tracking (-200): what is dropped leaves no trace there. Every fragment has its
 * sender's address, so none has to be joined first.
 */
const PRIORITY = -300;

/** Whatever has such a name, for what nobody has recorded yet is to send nothing either. */
const FROM_CONTAINER: NftMatch = { field: "iifname", value: "cali*" };
/** `IPPROTO_ICMPV6` (linux/in6.h). */
const ICMPV6: NftMatch = { field: "meta l4proto", value: "58" };

function rule(verdict: "drop" | "accept", ...matches: readonly NftMatch[]): NftRule {
  return {
    kind: "rule",
    chain: CHAIN,
    matches: [FROM_CONTAINER, ...matches],
    counter: verdict === "drop",
    verdict: { kind: verdict },
  };
}

/**
 * One look into a hash table for each packet, whatever the number of containers. Neighbour discovery speaks from link-local addresses, and from
 * none before there is one (RFC 4861 section 4.3); the kernel forwards neither (`ip6_forward()`, net/ipv6/ip6_output.c).
 */
export const SOURCE_FRAME: NftFrame = [
  { kind: "set", name: OWN4, type: "ifname . ipv4_addr", counter: false, interval: false },
  { kind: "set", name: OWN6, type: "ifname . ipv6_addr", counter: false, interval: false },
  { kind: "chain", name: CHAIN, type: "filter", hook: "prerouting", priority: PRIORITY },
  rule("drop", { field: "iifname . ip saddr", isIn: false, set: OWN4 }),
  rule("accept", { field: "ip6 saddr", value: LINK_LOCAL[6] }, ICMPV6),
  rule("accept", { field: "ip6 saddr", value: "::" }, ICMPV6),
  rule("drop", { field: "iifname . ip6 saddr", isIn: false, set: OWN6 }),
];

const SOURCE_CHECK: RulesetForm<WantedSource> = {
  kind: "source",
  title: "check of source addresses",
  table: { family: "inet", name: "margay-source" },
  tableKey: SOURCE_TABLE_KEY,
  write: (wanted) => (wanted.kind === "table" ? { kind: "table", frame: SOURCE_FRAME } : elementOf(wanted)),
  keyOf: ({ value }) => sourceElementKey(value),
};

export type SourceCheck = Ruleset<WantedSource>;

export function createSourceCheck(): SourceCheck {
  return new Ruleset(SOURCE_CHECK);
}

function elementOf({ ifName, ip }: WantedSourceElement): NftElement {
  return { kind: "element", set: familyOf(ip) === 4 ? OWN4 : OWN6, value: `${ifName} . ${ip}` };
}
