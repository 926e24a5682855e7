// SPDX-License-Identifier: Apache-2.0
import { BLOCK_METRIC, MAIN_TABLE, WIREGUARD_TABLE, type WantedRoute, routeKey } from "../desired/wanted.ts";
import { type Cidr, cidrContains, cidrFamily } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { Ipv6Routes, isForOnlookers } from "./ipv6-routes.ts";
import { type LinkTable, missing } from "./link.ts";
import {
  type KernelRoute,
  RTPROT_BIRD,
  RTPROT_KERNEL,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  addRoute,
  deleteRoute,
  replaceRoute,
} from "./netlink/route.ts";
import { DONE, type Plan } from "./plan.ts";
import { StandIns } from "./stand-ins.ts";
import { ReconcileTable } from "./table.ts";
import { UnderlayRoutes, type Way, isForUnderlay } from "./underlay.ts";

/** Ownership: the routing protocol number by which a restarted agent recognises its routes. */
export const RTPROT_MARGAY = 80;
/** Routes of our protocol in other tables are not ours. */
const OUR_TABLES: readonly number[] = [MAIN_TABLE, WIREGUARD_TABLE];

/** Routes: ours to be reconciled, the destinations that BIRD has brought, the ways of the underlay, and those that are only looked at. */
export class RouteTable {
  readonly table = new ReconcileTable<WantedRoute, KernelRoute>((wanted) =>
    "ifName" in wanted.target ? wanted.target.ifName : undefined,
  );
  /** destination -> metric -> BIRD's route; more than one only until it is known which of them BIRD means */
  readonly #birds = new Map<Cidr, Map<number, KernelRoute>>();
  readonly #underlay = new UnderlayRoutes();
  readonly #ipv6 = new Ipv6Routes();
  readonly standIns = new StandIns();

  isBirds(dst: Cidr): boolean {
    return this.#birds.has(dst);
  }

  /** Destinations inside the given prefixes that BIRD has brought routes to. */
  birdsInside(cidrs: readonly Cidr[]): readonly Cidr[] {
    return [...this.#birds.keys()].filter((dst) => cidrs.some((cidr) => cidrContains(cidr, dst)));
  }

  /** The way that the underlay has to an address. */
  wayTo(ip: Ip): Way | undefined {
    return this.#underlay.wayTo(ip);
  }

  /** Whether BIRD's routes lead out of the interface. */
  hasBirdsOn(index: number): boolean {
    return this.#birdRoutes().some(({ ifIndex }) => ifIndex === index);
  }

  /** Whether BIRD has routes to a destination of which it means one; which it is shows when it gives them to the kernel again. */
  get hasRivalBirds(): boolean {
    return this.#birds.values().some((routes) => routes.size > 1);
  }

  /** Those that are not ours: BIRD's, and others'. */
  others(): readonly KernelRoute[] {
    return [...this.#birdRoutes(), ...this.#underlay.all(), ...this.#ipv6.all()];
  }

  /** Has every route that BIRD is to bring stand of ours too; those that stand so already stay as they are. */
  holdForBird(): void {
    for (const [key, { standing }] of this.table.wantedEntries()) {
      const isThere = this.table.seen(key) !== undefined && !this.standIns.isOver(key);
      if (standing !== "untilReplaced" || isThere) continue;
      this.standIns.hold(key);
      this.table.mark(key);
    }
  }

  /** Leaves the routes to BIRD again. */
  releaseToBird(): void {
    for (const key of this.standIns.release()) this.table.mark(key);
  }

  /** `replaces` is what the event says. */
  see(
    route: KernelRoute,
    links: LinkTable,
    { replaces = false }: { readonly replaces?: boolean } = {},
  ): void {
    if (isOurs(route, links)) {
      this.table.see(seenRouteKey(route), route);
      return;
    }
    if (route.table !== MAIN_TABLE) return;
    // A route that takes the place of ours tells of itself only: ours is gone without an event.
    this.table.see(seenRouteKey(route), undefined);
    if (route.protocol === RTPROT_BIRD) this.#noteBird(route);
    else if (isForUnderlay(route)) {
      this.#underlay.see(route);
      this.#markUnderlay();
    } else if (isForOnlookers(route)) this.#ipv6.see(route, { replaces });
  }

  remove(route: KernelRoute, links: LinkTable): void {
    if (isOurs(route, links)) {
      this.table.see(seenRouteKey(route), undefined);
      this.standIns.forget(seenRouteKey(route));
      return;
    }
    if (route.table !== MAIN_TABLE) return;
    this.table.mark(seenRouteKey(route));
    if (route.protocol === RTPROT_BIRD) this.#forgetBird(route);
    else if (isForUnderlay(route)) {
      this.#underlay.remove(route);
      this.#markUnderlay();
    } else if (isForOnlookers(route)) this.#ipv6.remove(route);
  }

  reset(routes: readonly KernelRoute[], links: LinkTable): void {
    this.#birds.clear();
    this.#underlay.clear();
    this.#ipv6.clear();
    const ours = routes.filter((route) => isOurs(route, links));
    for (const route of routes) {
      if (route.table !== MAIN_TABLE || isOurs(route, links)) continue;
      if (route.protocol === RTPROT_BIRD)
        this.#birds.set(route.dst, new Map(this.#birds.get(route.dst)).set(route.metric, route));
      else if (isForUnderlay(route)) this.#underlay.see(route);
      else if (isForOnlookers(route)) this.#ipv6.see(route, { replaces: false });
    }
    this.table.reset(new Map(ours.map((route) => [seenRouteKey(route), route])));
    this.standIns.keepSeen((key) => this.table.seen(key) !== undefined);
  }

  /** Routes of an interface that went down or away: the kernel drops IPv4 routes then without an event. */
  forgetInterface(index: number): void {
    this.table.forget((route) => route.ifIndex === index);
    for (const route of this.#birdRoutes()) if (route.ifIndex === index) this.#forgetBird(route);
    this.#underlay.forgetInterface(index);
    this.#ipv6.forgetInterface(index);
    this.#markUnderlay();
  }

  /** Routes that follow the underlay's ways are looked at again. Those ways change rarely. */
  #markUnderlay(): void {
    for (const [key, { target }] of this.table.wantedEntries())
      if (target.kind === "underlay") this.table.mark(key);
  }

  /**
   * BIRD 2.0.12 leaves a route that gets another metric beside the new one, for the kernel takes them for two (`krt_replace_rte()`,
   * sysdep/linux/netlink.c): the older ones are removed in its stead.
   */
  #noteBird(route: KernelRoute): void {
    const { dst, metric } = route;
    for (const older of this.#birds.get(dst)?.values() ?? [])
      if (older.metric !== metric) this.table.see(seenRouteKey(older), older);
    this.#birds.set(dst, new Map([[metric, route]]));
    this.table.mark(routeKey(dst, BLOCK_METRIC));
  }

  #forgetBird({ dst, metric }: KernelRoute): void {
    const routes = this.#birds.get(dst);
    routes?.delete(metric);
    if (routes?.size === 0) this.#birds.delete(dst);
    this.table.mark(routeKey(dst, BLOCK_METRIC));
  }

  #birdRoutes(): readonly KernelRoute[] {
    return this.#birds
      .values()
      .flatMap((routes) => routes.values())
      .toArray();
  }
}

export function seenRouteKey(route: KernelRoute): string {
  return routeKey(route.dst, route.metric, route.table);
}

/** Routes with our protocol in a table of ours, and whatever anybody but kernel and BIRD put on an interface of ours. */
function isOurs(route: KernelRoute, links: LinkTable): boolean {
  if (!OUR_TABLES.includes(route.table)) return false;
  if (route.protocol === RTPROT_MARGAY) return true;
  if (route.table !== MAIN_TABLE || route.protocol === RTPROT_KERNEL) return false;
  // BIRD leads packets into a tunnel device, and never to a container.
  const isBirds = route.protocol === RTPROT_BIRD && !links.isNodeEndIndex(route.ifIndex);
  return !isBirds && links.isOurIndex(route.ifIndex);
}

export function planRoute(key: string, routes: RouteTable, links: LinkTable): Plan<KernelRoute> {
  const { table } = routes;
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [deleteRoute(seen)] };
  if (wanted.standing === "untilReplaced" && !routes.standIns.isHeld(key)) {
    // Make before break: ours goes when BIRD's route to the same destination has come.
    if (seen === undefined) return DONE;
    if (routes.isBirds(wanted.dst) || routes.standIns.isOver(key))
      return { kind: "remove", requests: [deleteRoute(seen)] };
  }
  const resolved = resolveTarget(wanted, links, routes);
  if (typeof resolved === "string") return { kind: "blocked", reason: resolved };
  const { table: id, dst, metric } = wanted;
  const route: KernelRoute = { ...COMMON, ...resolved, table: id, dst, metric };
  if (seen !== undefined && isSame(seen, route)) return DONE;
  // Never replace what was not seen to be ours: the kernel refuses (EEXIST) where somebody else's route stands.
  const request = seen === undefined ? addRoute(route) : replaceRoute(route);
  return { kind: "change", requests: [request], after: route };
}

const COMMON = { protocol: RTPROT_MARGAY, onlink: false } as const;

type ResolvedTarget = Pick<KernelRoute, "type" | "scope"> &
  Partial<Pick<KernelRoute, "ifIndex" | "gateway" | "onlink" | "mtu" | "prefSrc">>;

/** The target in the kernel's terms, or why there is none now. */
function resolveTarget(
  { target, dst }: WantedRoute,
  links: LinkTable,
  routes: RouteTable,
): ResolvedTarget | string {
  switch (target.kind) {
    case "link": {
      const link = links.byName(target.ifName);
      if (link === undefined) return missing(target.ifName);
      return link.up
        ? // Routes of IPv6 have no scope.
          {
            type: "unicast",
            scope: cidrFamily(dst) === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
            ifIndex: link.index,
          }
        : `interface "${target.ifName}" is down`;
    }
    case "gateway":
      return { type: "unicast", scope: RT_SCOPE_UNIVERSE, gateway: target.gateway };
    case "tunnel": {
      const link = links.byName(target.ifName);
      if (link?.up !== true) return missing(target.ifName);
      const { gateway, source } = target;
      // The other end is not on this node's network: that it is behind the device has to be taken for granted.
      const way = {
        ifIndex: link.index,
        gateway,
        onlink: true,
        ...(source !== undefined && { prefSrc: source }),
      };
      return { type: "unicast", scope: RT_SCOPE_UNIVERSE, ...way };
    }
    case "underlay": {
      const { node, mtu, source } = target;
      const way = routes.wayTo(node);
      if (way === undefined) return `there is no route to node ${node}`;
      return { ...way, type: "unicast", scope: RT_SCOPE_UNIVERSE, mtu, prefSrc: source };
    }
    case "blackhole":
    case "throw":
      return { type: target.kind, scope: RT_SCOPE_UNIVERSE };
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
    seen.prefSrc === route.prefSrc &&
    seen.mtu === route.mtu &&
    seen.onlink === route.onlink &&
    (route.ifIndex === undefined || seen.ifIndex === route.ifIndex)
  );
}
