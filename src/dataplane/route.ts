// SPDX-License-Identifier: Apache-2.0
import { BLOCK_METRIC, type RouteTarget, type WantedRoute, routeKey } from "../desired/wanted.ts";
import { type Cidr, cidrContains } from "../net/cidr.ts";
import { type LinkTable, missing } from "./link.ts";
import {
  type KernelRoute,
  RTPROT_BIRD,
  RTPROT_KERNEL,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
  deleteRoute,
  replaceRoute,
} from "./netlink/route.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** Ownership: the routing protocol number by which a restarted agent recognises its routes. */
export const RTPROT_MARGAY = 80;

/** The main table's routes: ours to be reconciled, and the destinations that BIRD has brought. */
export class RouteTable {
  readonly table = new ReconcileTable<WantedRoute, KernelRoute>((wanted) =>
    "ifName" in wanted.target ? wanted.target.ifName : undefined,
  );
  /** destination -> the interface that BIRD's route leads out of, where it has one only */
  readonly #birds = new Map<Cidr, number | undefined>();

  isBirds(dst: Cidr): boolean {
    return this.#birds.has(dst);
  }

  /** Destinations inside the given prefixes that BIRD has brought routes to. */
  birdsInside(cidrs: readonly Cidr[]): readonly Cidr[] {
    return [...this.#birds.keys()].filter((dst) => cidrs.some((cidr) => cidrContains(cidr, dst)));
  }

  see(route: KernelRoute, links: LinkTable): void {
    if (isOurs(route, links)) {
      this.table.see(seenRouteKey(route), route);
      return;
    }
    // A route that takes the place of ours tells of itself only: ours is gone without an event.
    if (route.table === RT_TABLE_MAIN) this.table.see(seenRouteKey(route), undefined);
    if (isOfBird(route)) this.#noteBird(route, true);
  }

  remove(route: KernelRoute, links: LinkTable): void {
    if (isOurs(route, links)) this.table.see(seenRouteKey(route), undefined);
    else if (route.table === RT_TABLE_MAIN) this.table.mark(seenRouteKey(route));
    if (isOfBird(route)) this.#noteBird(route, false);
  }

  reset(routes: readonly KernelRoute[], links: LinkTable): void {
    this.#birds.clear();
    for (const route of routes) if (isOfBird(route)) this.#birds.set(route.dst, route.ifIndex);
    const ours = routes.filter((route) => isOurs(route, links));
    this.table.reset(new Map(ours.map((route) => [seenRouteKey(route), route])));
  }

  /** Routes of an interface that went down or away: the kernel drops IPv4 routes then without an event. */
  forgetInterface(index: number): void {
    this.table.forget((route) => route.ifIndex === index);
    for (const [dst, ifIndex] of this.#birds) if (ifIndex === index) this.#forgetBird(dst);
  }

  #noteBird({ dst, ifIndex }: KernelRoute, isThere: boolean): void {
    if (!isThere) {
      this.#forgetBird(dst);
      return;
    }
    this.#birds.set(dst, ifIndex);
    this.table.mark(routeKey(dst, BLOCK_METRIC));
  }

  #forgetBird(dst: Cidr): void {
    this.#birds.delete(dst);
    this.table.mark(routeKey(dst, BLOCK_METRIC));
  }
}

export function seenRouteKey(route: KernelRoute): string {
  return routeKey(route.dst, route.metric);
}

/** Routes with our protocol, and whatever anybody but the kernel put on an interface of ours. */
function isOurs(route: KernelRoute, links: LinkTable): boolean {
  if (route.table !== RT_TABLE_MAIN) return false;
  if (route.protocol === RTPROT_MARGAY) return true;
  return route.protocol !== RTPROT_KERNEL && links.isOurIndex(route.ifIndex);
}

function isOfBird(route: KernelRoute): boolean {
  return route.table === RT_TABLE_MAIN && route.protocol === RTPROT_BIRD;
}

export function planRoute(key: string, routes: RouteTable, links: LinkTable): Plan<KernelRoute> {
  const { table } = routes;
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined) return seen === undefined ? DONE : { kind: "remove", request: deleteRoute(seen) };
  if (wanted.standing === "untilReplaced") {
    // Make before break: ours goes when BIRD's route to the same destination has come.
    if (seen === undefined) return DONE;
    if (routes.isBirds(wanted.dst)) return { kind: "remove", request: deleteRoute(seen) };
  }
  const resolved = resolveTarget(wanted.target, links);
  if (typeof resolved === "string") return { kind: "blocked", reason: resolved };
  const route: KernelRoute = { ...COMMON, ...resolved, dst: wanted.dst, metric: wanted.metric };
  if (seen !== undefined && isSame(seen, route)) return DONE;
  // Never replace what was not seen to be ours: the kernel refuses (EEXIST) where somebody else's route stands.
  const request = seen === undefined ? addRoute(route) : replaceRoute(route);
  return { kind: "change", request, after: route };
}

const COMMON = { table: RT_TABLE_MAIN, protocol: RTPROT_MARGAY, onlink: false } as const;

type ResolvedTarget = Pick<KernelRoute, "type" | "scope"> &
  Partial<Pick<KernelRoute, "ifIndex" | "gateway" | "onlink">>;

/** The target in the kernel's terms, or why there is none now. */
function resolveTarget(target: RouteTarget, links: LinkTable): ResolvedTarget | string {
  switch (target.kind) {
    case "link": {
      const link = links.byName(target.ifName);
      if (link === undefined) return missing(target.ifName);
      return link.up
        ? { type: "unicast", scope: RT_SCOPE_LINK, ifIndex: link.index }
        : `interface "${target.ifName}" is down`;
    }
    case "gateway":
      return { type: "unicast", scope: RT_SCOPE_UNIVERSE, gateway: target.gateway };
    case "tunnel": {
      const link = links.byName(target.ifName);
      if (link?.up !== true) return missing(target.ifName);
      const { gateway } = target;
      // The other end is not on this node's network: that it is behind the device has to be taken for granted.
      return { type: "unicast", scope: RT_SCOPE_UNIVERSE, ifIndex: link.index, gateway, onlink: true };
    }
    case "blackhole":
      return { type: "blackhole", scope: RT_SCOPE_UNIVERSE };
  }
}

/** The interface of a route by a gateway is the kernel's finding, so it does not count. */
function isSame(seen: KernelRoute, route: KernelRoute): boolean {
  return (
    seen.type === route.type &&
    seen.protocol === route.protocol &&
    seen.scope === route.scope &&
    seen.gateway === route.gateway &&
    seen.nextHops === undefined &&
    seen.prefSrc === undefined &&
    seen.onlink === route.onlink &&
    (route.ifIndex === undefined || seen.ifIndex === route.ifIndex)
  );
}
