// SPDX-License-Identifier: Apache-2.0
import { type LinkAddress, RTM_DELADDR, RTM_NEWADDR, decodeAddress } from "./address.ts";
import { type ForwardingEntry, decodeForwardingEntry } from "./fdb.ts";
import { RTM_NEWLINK } from "./link-message.ts";
import { type Link, RTM_DELLINK, decodeLink } from "./link.ts";
import { NLM_F_REPLACE, type NetlinkMessage } from "./message.ts";
import { type Neighbour, RTM_DELNEIGH, RTM_NEWNEIGH, decodeNeighbour } from "./neighbour.ts";
import { type KernelRoute, RTM_DELROUTE, RTM_NEWROUTE, decodeRoute } from "./route.ts";
import { type Rule, RTM_DELRULE, RTM_NEWRULE, decodeRule } from "./rule.ts";
import type { EventDecoder, Overrun } from "./subscription.ts";
import {
  RTM_DELQDISC,
  RTM_DELTFILTER,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
  decodeFilterChange,
} from "./traffic-control.ts";

/** A kind of object whose changes can be subscribed to. The kernel has one group for neighbours and forwarding entries. */
export type EventGroup = "link" | "address" | "route" | "neighbour" | "rule" | "filter";

/** The object came up or changed, or is gone. */
export type ChangeKind = "new" | "deleted";

/** A change of the kernel's state, whoever made it. */
export type RtEvent =
  | { readonly kind: "link"; readonly change: ChangeKind; readonly link: Link }
  | { readonly kind: "address"; readonly change: ChangeKind; readonly address: LinkAddress }
  | {
      readonly kind: "route";
      readonly change: ChangeKind;
      readonly route: KernelRoute;
      /** Whether it has come in the place of another, of which nothing else tells. */
      readonly replaces?: true;
    }
  | { readonly kind: "neighbour"; readonly change: ChangeKind; readonly neighbour: Neighbour }
  /** Comes with the group `neighbour`. */
  | { readonly kind: "fdb"; readonly change: ChangeKind; readonly entry: ForwardingEntry }
  | { readonly kind: "rule"; readonly change: ChangeKind; readonly rule: Rule }
  /** Filters of the interface, or the discipline that has them, changed: which and how is to be listed. */
  | { readonly kind: "filter"; readonly ifIndex: number }
  | Overrun;

/** `enum rtnetlink_groups` (linux/rtnetlink.h): IPv4 and IPv6 have groups of their own. */
const GROUPS: Readonly<Record<EventGroup, readonly number[]>> = {
  link: [1], // RTNLGRP_LINK
  neighbour: [3], // RTNLGRP_NEIGH
  filter: [4], // RTNLGRP_TC
  address: [5, 9], // RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR
  route: [7, 11], // RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE
  rule: [8, 19], // RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE
};

/** The bit set of `nl_groups` in `struct sockaddr_nl`, where group n is bit n - 1. */
export function groupBits(groups: readonly EventGroup[]): number {
  return groups.flatMap((group) => GROUPS[group]).reduce((bits, group) => bits | (1 << (group - 1)), 0);
}

/** The event that a message of a group is; `undefined` where it is about something that no kind here describes. */
export function decodeEvent(message: NetlinkMessage): RtEvent | undefined {
  return DECODERS.get(message.type)?.(message);
}

const DECODERS: ReadonlyMap<number, EventDecoder<RtEvent>> = new Map([
  [RTM_NEWLINK, linkEvent("new")],
  [RTM_DELLINK, linkEvent("deleted")],
  [RTM_NEWADDR, addressEvent("new")],
  [RTM_DELADDR, addressEvent("deleted")],
  [RTM_NEWROUTE, routeEvent("new")],
  [RTM_DELROUTE, routeEvent("deleted")],
  [RTM_NEWNEIGH, neighbourEvent("new")],
  [RTM_DELNEIGH, neighbourEvent("deleted")],
  [RTM_NEWRULE, ruleEvent("new")],
  [RTM_DELRULE, ruleEvent("deleted")],
  [RTM_NEWQDISC, filterEvent],
  [RTM_DELQDISC, filterEvent],
  [RTM_NEWTFILTER, filterEvent],
  [RTM_DELTFILTER, filterEvent],
]);

function linkEvent(change: ChangeKind): EventDecoder<RtEvent> {
  return (message) => {
    const link = decodeLink(message);
    return link && { kind: "link", change, link };
  };
}

function addressEvent(change: ChangeKind): EventDecoder<RtEvent> {
  return (message) => {
    const address = decodeAddress(message);
    return address && { kind: "address", change, address };
  };
}

function routeEvent(change: ChangeKind): EventDecoder<RtEvent> {
  return (message) => {
    const route = decodeRoute(message);
    const replaces = (message.flags & NLM_F_REPLACE) !== 0;
    return route && { kind: "route", change, route, ...(replaces && { replaces }) };
  };
}

function neighbourEvent(change: ChangeKind): EventDecoder<RtEvent> {
  return (message) => {
    const neighbour = decodeNeighbour(message);
    if (neighbour !== undefined) return { kind: "neighbour", change, neighbour };
    const entry = decodeForwardingEntry(message);
    return entry && { kind: "fdb", change, entry };
  };
}

function ruleEvent(change: ChangeKind): EventDecoder<RtEvent> {
  return (message) => {
    const rule = decodeRule(message);
    return rule && { kind: "rule", change, rule };
  };
}

function filterEvent(message: NetlinkMessage): RtEvent {
  return { kind: "filter", ifIndex: decodeFilterChange(message) };
}
