// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, cidrOf } from "../net/cidr.ts";
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import type { KernelRoute } from "./netlink/route.ts";

/** Where packets go next. */
export type Way = Pick<KernelRoute, "gateway" | "ifIndex">;

/**
 * The ways that the underlay has: routes of the main table that are neither ours nor BIRD's. They are few, so a lookup tries every length
 * of prefix.
 */
export class UnderlayRoutes {
  /** destination -> metric -> route */
  readonly #routes = new Map<Cidr, Map<number, KernelRoute>>();

  see(route: KernelRoute): void {
    const { dst, metric } = route;
    this.#routes.set(dst, (this.#routes.get(dst) ?? new Map<number, KernelRoute>()).set(metric, route));
  }

  remove({ dst, metric }: KernelRoute): void {
    const routes = this.#routes.get(dst);
    routes?.delete(metric);
    if (routes?.size === 0) this.#routes.delete(dst);
  }

  /** Routes of an interface that is down: the kernel drops those of IPv4 without an event. */
  forgetInterface(index: number): void {
    for (const routes of this.#routes.values())
      for (const route of routes.values()) if (route.ifIndex === index) this.remove(route);
  }

  clear(): void {
    this.#routes.clear();
  }

  all(): Iterable<KernelRoute> {
    return this.#routes.values().flatMap((routes) => routes.values());
  }

  /** The way to the address; `undefined` where there is none. On the same network, the address is its own gateway. */
  wayTo(ip: Ip): Way | undefined {
    for (let length = addressBits(familyOf(ip)); length >= 0; length--) {
      const route = best(this.#routes.get(cidrOf(ip, length)));
      if (route !== undefined) return route.type === "unicast" ? wayOf(route, ip) : undefined;
    }
    return undefined;
  }
}

/** The lowest metric counts. */
function best(routes: ReadonlyMap<number, KernelRoute> | undefined): KernelRoute | undefined {
  return routes?.get(Math.min(...routes.keys()));
}

/** Of a route of several ways the first: a route through a tunnel has one way. */
function wayOf({ gateway, ifIndex, nextHops }: KernelRoute, ip: Ip): Way {
  const [first = { gateway, ifIndex }] = nextHops ?? [];
  return {
    gateway: first.gateway ?? ip,
    ...(first.ifIndex !== undefined && { ifIndex: first.ifIndex }),
  };
}

/** Whether the route can be one of the underlay to a node. */
export function isForUnderlay({ dst, type }: KernelRoute): boolean {
  return cidrFamily(dst) === 4 && type !== "local" && type !== "broadcast";
}
