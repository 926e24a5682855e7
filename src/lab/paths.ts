// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp } from "../net/cidr.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Segment, Topology } from "./topology-schema.ts";

/** A route of the underlay: to another segment, by the next router. */
export interface UnderlayRoute {
  readonly to: Cidr;
  readonly via: Ipv4;
}

/**
 * The routes that someone attached to the segments in `from` needs to reach all others, each by the fewest routers;
 * among equals the router listed first. Segments that no chain of routers leads to have none.
 */
export function findRoutes(
  { segments, routers }: Topology["underlay"],
  from: readonly Segment[],
): readonly UnderlayRoute[] {
  const routes: UnderlayRoute[] = [];
  // Segment -> the first router on the way there; attached segments need none.
  const reached = new Map<Segment, Ipv4 | undefined>(from.map((segment) => [segment, undefined]));
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
