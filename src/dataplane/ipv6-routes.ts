// SPDX-License-Identifier: Apache-2.0
import { LINK_LOCAL, cidrContains, cidrFamily } from "../net/cidr.ts";
import { type KernelRoute, RTPROT_KERNEL, RTPROT_RA } from "./netlink/route.ts";

type Hop = Pick<KernelRoute, "ifIndex" | "gateway">;

/**
 * Routes of IPv6 in the main table that are neither ours nor BIRD's, for those who look on: nothing here goes by them. Unlike those of IPv4, several may
 * have one destination and one metric.
 */
export class Ipv6Routes {
  /** destination and metric -> the routes that have them, each with other ways */
  readonly #routes = new Map<string, readonly KernelRoute[]>();

  /** A route that takes the place of others comes alone, and so does one whose ways include those that had a route each. */
  see(route: KernelRoute, { replaces }: { readonly replaces: boolean }): void {
    const stay = this.#at(route).filter(
      (other) => !isSameWay(other, route) && !isHopOf(other, route) && !(replaces && isReplaceable(other)),
    );
    this.#set(route, [...stay, route]);
  }

  /** One of several ways may go alone. */
  remove(route: KernelRoute): void {
    const stay = this.#at(route)
      .filter((other) => !isSameWay(other, route))
      .map((other) => (isHopOf(route, other) ? withoutHop(other, route) : other));
    this.#set(route, stay);
  }

  /** Routes of an interface that is down, of which the kernel need not tell (`net.ipv6.route.skip_notify_on_dev_down`). */
  forgetInterface(index: number): void {
    for (const route of [...this.all()]) if (route.ifIndex === index) this.remove(route);
  }

  clear(): void {
    this.#routes.clear();
  }

  all(): Iterable<KernelRoute> {
    return this.#routes.values().flatMap((routes) => routes);
  }

  #at(route: KernelRoute): readonly KernelRoute[] {
    return this.#routes.get(keyOf(route)) ?? [];
  }

  #set(route: KernelRoute, routes: readonly KernelRoute[]): void {
    if (routes.length === 0) this.#routes.delete(keyOf(route));
    else this.#routes.set(keyOf(route), routes);
  }
}

/** Whether onlookers are told of it. Every interface has one of link-local addresses, and nothing is forwarded by those. */
export function isForOnlookers({ dst, type }: KernelRoute): boolean {
  if (cidrFamily(dst) !== 6 || cidrContains(LINK_LOCAL[6], dst)) return false;
  return !["local", "anycast", "multicast"].includes(type);
}

function keyOf({ dst, metric }: KernelRoute): string {
  return `${dst} ${metric}`;
}

/** What the kernel and routers have brought is not replaced (`rt6_qualify_for_ecmp()`, include/net/ip6_route.h). */
function isReplaceable({ protocol }: KernelRoute): boolean {
  return protocol !== RTPROT_KERNEL && protocol !== RTPROT_RA;
}

/** A route of several ways has no hop of its own, and there is one such at most. */
function isSameWay(a: KernelRoute, b: KernelRoute): boolean {
  return isSameHop(a, b) && (a.nextHops === undefined) === (b.nextHops === undefined);
}

function isHopOf(one: KernelRoute, { nextHops = [] }: KernelRoute): boolean {
  return one.nextHops === undefined && nextHops.some((hop) => isSameHop(hop, one));
}

function isSameHop(a: Hop, b: Hop): boolean {
  return a.ifIndex === b.ifIndex && a.gateway === b.gateway;
}

function withoutHop({ nextHops = [], ...route }: KernelRoute, gone: Hop): KernelRoute {
  const stay = nextHops.filter((hop) => !isSameHop(hop, gone));
  const [only, ...more] = stay;
  if (only === undefined || more.length > 0) return { ...route, nextHops: stay };
  const { ifIndex, gateway, onlink } = only;
  return { ...route, ifIndex, onlink, ...(gateway !== undefined && { gateway }) };
}
