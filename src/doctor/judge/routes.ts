// SPDX-License-Identifier: Apache-2.0
import { isNodeEnd } from "../../dataplane/link.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import { NUD_PERMANENT } from "../../dataplane/netlink/neighbour.ts";
import { type KernelRoute, RTPROT_BIRD, RTPROT_KERNEL } from "../../dataplane/netlink/route.ts";
import { RTPROT_MARGAY } from "../../dataplane/route.ts";
import { MAIN_TABLE } from "../../desired/wanted.ts";
import {
  LINK_LOCAL,
  cidrAddress,
  cidrContains,
  cidrContainsIp,
  cidrFamily,
  hostCidr,
  isHostCidr,
  prefixLengthOf,
} from "../../net/cidr.ts";
import { type Ip, familyOf } from "../../net/ip.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { KernelSeen } from "../observation.ts";

/** Routes and neighbours: those of containers, and others' that stand in the way. */
export function judgeRoutes(kernel: KernelSeen): readonly Check[] {
  return [...judgeContainers(kernel), ...judgeForeign(kernel)];
}

/** A container's route and its permanent neighbour entry say the same address: where one of them is missing, the other one tells. */
function judgeContainers({ links, routes, neighbours, containerEnds }: KernelSeen): readonly Check[] {
  const ends = links.filter((link) => isNodeEnd(link) && link.up);
  const amiss = ends.flatMap((link): readonly Check[] => {
    const routed = new Set(
      routes.filter((route) => isContainerRoute(route, link)).map(({ dst }) => cidrAddress(dst)),
    );
    const known = new Set(
      neighbours
        .filter(
          ({ ifIndex, state, ip, family }) =>
            ifIndex === link.index &&
            (state & NUD_PERMANENT) !== 0 &&
            !cidrContainsIp(LINK_LOCAL[family], ip),
        )
        .map(({ ip }) => ip),
    );
    if (routed.size === 0 && known.size === 0)
      return [
        subject("container route", link.name).fault(
          "no route leads to this container",
          "start the agent, which puts it back; a container without a WorkloadEndpoint is to be made anew by its runtime",
        ),
      ];
    const mac = containerEnds.get(link.name)?.link.mac;
    return [
      ...[...known.difference(routed)].map((ip) =>
        subject("container route", `${hostCidr(ip)} dev ${link.name}`).fault(
          "it is missing: nothing that is sent to this container gets there",
          "the agent puts it back as soon as it runs; until then",
          `${ip4or6(ip)} route add ${hostCidr(ip)} dev ${link.name} proto ${RTPROT_MARGAY}${familyOf(ip) === 4 ? " scope link" : " metric 1"}`,
        ),
      ),
      ...[...routed.difference(known)].map((ip) =>
        subject("container neighbour", `${ip} dev ${link.name}`).warning(
          "its permanent entry is missing: the node has to ask the container for its MAC address, which may not answer",
          "the agent puts it back as soon as it runs; until then",
          ...(mac === undefined
            ? []
            : [`ip neigh replace ${ip} dev ${link.name} lladdr ${mac} nud permanent`]),
        ),
      ),
    ];
  });
  return orWell(
    amiss,
    subject("container route", "cali*").ok(`routes and neighbours of ${ends.length} containers`),
  );
}

function isContainerRoute({ table, protocol, ifIndex, dst }: KernelRoute, link: Link): boolean {
  return table === MAIN_TABLE && protocol === RTPROT_MARGAY && ifIndex === link.index && isHostCidr(dst);
}

/** Somebody else's route that takes packets which one of ours, or of BIRD's, is for: it is longer, or as long with a lower metric. */
function judgeForeign({ links, routes }: KernelSeen): readonly Check[] {
  const main = routes.filter(({ table }) => table === MAIN_TABLE);
  const ours = main.filter(
    ({ protocol, dst }) =>
      (protocol === RTPROT_MARGAY || protocol === RTPROT_BIRD) && prefixLengthOf(dst) > 0,
  );
  const others = main.filter(
    ({ protocol }) => ![RTPROT_MARGAY, RTPROT_BIRD, RTPROT_KERNEL].includes(protocol),
  );
  const nameOf = (index: number | undefined): string =>
    links.find((link) => link.index === index)?.name ?? "no interface";
  const amiss = others.flatMap((route): readonly Check[] => {
    const victim = ours.find((own) => takesFrom(route, own));
    if (victim === undefined) return [];
    const { dst, metric, gateway, ifIndex, protocol } = route;
    const to = gateway === undefined ? nameOf(ifIndex) : `${gateway} (${nameOf(ifIndex)})`;
    return [
      subject("foreign route", `${dst} metric ${metric}`).fault(
        `somebody else's route to ${to}, of protocol ${protocol}, takes packets that are for the route to ${victim.dst} metric ${victim.metric}`,
        "find out who has made it, and remove it",
        `${ip4or6(cidrAddress(dst))} route del ${dst} metric ${metric} proto ${protocol}`,
      ),
    ];
  });
  return orWell(amiss, subject("foreign route", "main table").ok("none stands in the way"));
}

function takesFrom(route: KernelRoute, own: KernelRoute): boolean {
  if (cidrFamily(route.dst) !== cidrFamily(own.dst) || !cidrContains(own.dst, route.dst)) return false;
  return route.dst !== own.dst || route.metric < own.metric;
}

function ip4or6(ip: Ip): string {
  return familyOf(ip) === 4 ? "ip" : "ip -6";
}
