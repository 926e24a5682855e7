// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Topology } from "./topology-schema.ts";

/** A route of the underlay: to another segment, by the next router. */
export interface UnderlayRoute {
  readonly to: Cidr;
  readonly via: Ip;
}

/** A segment, as one family sees it. */
export interface Wire {
  readonly name: string;
  readonly cidr: Cidr;
}

/** Segments and the routers between them, as one family sees them. */
export interface Wiring {
  readonly segments: readonly Wire[];
  readonly routers: readonly { readonly addresses: readonly Ip[] }[];
}

/** The underlay as IPv6 sees it. */
export function ipv6Wiring({ segments, routers }: Topology["underlay"]): Wiring {
  return {
    segments: segments.flatMap(({ name, ipv6Cidr }) =>
      ipv6Cidr === undefined ? [] : [{ name, cidr: ipv6Cidr }],
    ),
    routers: routers.map(({ ipv6Addresses }) => ({ addresses: ipv6Addresses })),
  };
}

/**
 * The routes that someone attached to the segments in `from` needs to reach all others, each by the fewest routers;
 * among equals the router listed first. Segments that no chain of routers leads to have none.
 */
export function findRoutes({ segments, routers }: Wiring, from: readonly Wire[]): readonly UnderlayRoute[] {
  const routes: UnderlayRoute[] = [];
  // Segment -> the first router on the way there; attached segments need none.
  const reached = new Map<Wire, Ip | undefined>(from.map((segment) => [segment, undefined]));
  // A map visits what is added while it is walked, which makes this a breadth-first search.
  for (const [here, first] of reached) {
    for (const { addresses } of routers) {
      const entry = addresses.find((address) => cidrContainsIp(here.cidr, address));
      if (entry === undefined) continue;
      for (const next of segments) {
        if (reached.has(next) || !addresses.some((address) => cidrContainsIp(next.cidr, address))) continue;
        const via = first ?? entry;
        reached.set(next, via);
        routes.push({ to: next.cidr, via });
      }
    }
  }
  return routes;
}
