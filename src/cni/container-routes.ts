// SPDX-License-Identifier: Apache-2.0
import { gatewayOf } from "../desired/wanted.ts";
import {
  type KernelRoute,
  RTPROT_BOOT,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
} from "../dataplane/netlink/route.ts";
import type { Rule } from "../dataplane/netlink/rule.ts";
import { RTPROT_MARGAY } from "../dataplane/route.ts";
import { DEFAULT_ROUTES, hostCidr } from "../net/cidr.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";

/** What an interface of a container is for: the first brings the default route; a further one carries what is sent from its own addresses. */
export type Part = "first" | "further";

/** Tables of further interfaces begin here, by the index of the interface; so do the metrics of their default routes in the main table. */
const FURTHER_TABLE = 10_000;
const FURTHER_METRIC = 2000;
/** Before the main table (32766), and before what others commonly put there. */
const RULE_PRIORITY = 1000;

/** The part of an interface in a family, by the routes that are there: another of the first part leads everywhere, or none does. */
export function partOf(routes: readonly KernelRoute[], ifIndex: number, family: Family): Part {
  const isElsewhere = routes.some(
    ({ table, dst, metric, ifIndex: other }) =>
      table === RT_TABLE_MAIN &&
      dst === DEFAULT_ROUTES[family] &&
      metric < FURTHER_METRIC &&
      other !== ifIndex,
  );
  return isElsewhere ? "further" : "first";
}

/** The gateway of IPv4 comes first: a route by way of it is refused before it is known to be on the link. That of IPv6 can be nowhere else. */
export function containerRoutes(ifIndex: number, family: Family, part: Part): readonly KernelRoute[] {
  const gateway = gatewayOf(family);
  const common = { type: "unicast", protocol: RTPROT_BOOT, metric: 0, onlink: false, ifIndex } as const;
  const table = part === "first" ? RT_TABLE_MAIN : furtherTable(ifIndex);
  const throughIt = { ...common, table, dst: DEFAULT_ROUTES[family], scope: RT_SCOPE_UNIVERSE, gateway };
  const toIt = { ...common, table, dst: hostCidr(gateway), scope: RT_SCOPE_LINK };
  return [
    ...(family === 4 ? [toIt] : []),
    throughIt,
    // For what names the interface instead of an address, and where the first interface has gone.
    ...(part === "further"
      ? [{ ...throughIt, table: RT_TABLE_MAIN, metric: FURTHER_METRIC + ifIndex, onlink: true }]
      : []),
  ];
}

/** Has packets from an address of a further interface leave by that interface. */
export function ruleFrom(ip: Ip, ifIndex: number): Rule {
  return {
    family: familyOf(ip),
    src: hostCidr(ip),
    priority: RULE_PRIORITY,
    table: furtherTable(ifIndex),
    invert: false,
    protocol: RTPROT_MARGAY,
  };
}

/** Whether the rule is one that {@link ruleFrom} gives for the interface. */
export function isRuleOf(rule: Rule, ifIndex: number): boolean {
  return isOurRule(rule) && rule.table === furtherTable(ifIndex);
}

/** Whether the rule is one that {@link ruleFrom} gives for any interface. */
export function isOurRule({ protocol, src }: Rule): boolean {
  return protocol === RTPROT_MARGAY && src !== undefined;
}

function furtherTable(ifIndex: number): number {
  return FURTHER_TABLE + ifIndex;
}
