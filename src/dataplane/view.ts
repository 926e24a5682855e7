// SPDX-License-Identifier: Apache-2.0
// What stands in the kernel beside what is wanted there, for those who look on. It is read from the tables: nobody asks the kernel.
import type { RouteTarget } from "../desired/wanted.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import type { LinkTable } from "./link.ts";
import { NUD_PERMANENT } from "./netlink/neighbour.ts";
import { type KernelRoute, RTPROT_BIRD, RTPROT_KERNEL, type RouteType } from "./netlink/route.ts";
import { RTPROT_MARGAY, seenRouteKey } from "./route.ts";
import type { Tables } from "./tables.ts";

/** Who has brought a route: this agent, BIRD, the kernel with an address, or anybody else. */
export type RouteOrigin = "agent" | "bird" | "kernel" | "other";

/** What is wanted, and whether it is there. */
interface Standing {
  /** Whether it stands in the kernel. */
  readonly present: boolean;
  /** Why it is not as it should be, or not there. */
  readonly pending?: string;
}

/** A route of the main table, or of one of the agent's own. */
export interface RouteView extends Standing {
  readonly dst: Cidr;
  readonly table: number;
  /** Lower is preferred. */
  readonly metric: number;
  readonly type: RouteType;
  readonly origin: RouteOrigin;
  readonly gateway?: Ip;
  readonly interface?: string;
  /** The source address that packets of the node itself get. */
  readonly source?: Ip;
  /** Octets; absent where the interface's counts. */
  readonly mtu?: number;
}

/** An entry on an interface of the agent's: a container's, or another node's end of a tunnel. */
export interface NeighbourView extends Standing {
  readonly ip: Ip;
  readonly interface: string;
  readonly mac?: Mac;
  /** Whether it is never asked for: it is the agent's then. */
  readonly permanent: boolean;
}

/** Sorted by destination, metric and table. */
export function viewRoutes(tables: Tables): readonly RouteView[] {
  const { route: routes, link: links } = tables;
  const { table } = routes;
  const there = standingRoutes(tables).map((route) =>
    withPending(seenRoute(route, links), table.pendingAt(seenRouteKey(route))),
  );
  const missing = [...table.wantedEntries()].flatMap(
    ([key, { dst, metric, table: id, target, standing }]) => {
      // One that BIRD is to bring is missing where BIRD has not.
      if (table.seen(key) !== undefined || standing !== "present") return [];
      const view = {
        dst,
        table: id,
        metric,
        origin: "agent",
        present: false,
        ...wantedTarget(target),
      } as const;
      return [withPending(view, table.pendingAt(key))];
    },
  );
  return [...there, ...missing].sort(
    (a, b) => compare(a.dst, b.dst) || a.metric - b.metric || a.table - b.table,
  );
}

/** How many there are of each origin. */
export function countRoutes(tables: Tables): Readonly<Record<RouteOrigin, number>> {
  const counts = { agent: 0, bird: 0, kernel: 0, other: 0 };
  for (const { protocol } of standingRoutes(tables)) counts[originOf(protocol)]++;
  return counts;
}

function standingRoutes({ route: routes }: Tables): readonly KernelRoute[] {
  return [...Array.from(routes.table.seenEntries(), ([, route]) => route), ...routes.others()];
}

/** Sorted by address and interface. */
export function viewNeighbours({ neighbour: table, link: links }: Tables): readonly NeighbourView[] {
  const there = [...table.seenEntries()].map(([key, { ifIndex, ip, mac, state }]) => {
    const view = {
      ip,
      interface: nameOf(ifIndex, links),
      permanent: (state & NUD_PERMANENT) !== 0,
      present: true,
      ...(mac !== undefined && { mac }),
    };
    return withPending(view, table.pendingAt(key));
  });
  const missing = [...table.wantedEntries()].flatMap(([key, { ip, ifName, mac }]) => {
    const view = { ip, interface: ifName, mac, permanent: true, present: false } as const;
    return table.seen(key) === undefined ? [withPending(view, table.pendingAt(key))] : [];
  });
  return [...there, ...missing].sort((a, b) => compare(a.ip, b.ip) || compare(a.interface, b.interface));
}

function seenRoute(route: KernelRoute, links: LinkTable): RouteView {
  const { dst, table, metric, type, protocol, gateway, ifIndex, prefSrc, mtu } = route;
  return {
    dst,
    table,
    metric,
    type,
    origin: originOf(protocol),
    present: true,
    ...(gateway !== undefined && { gateway }),
    ...(ifIndex !== undefined && { interface: nameOf(ifIndex, links) }),
    ...(prefSrc !== undefined && { source: prefSrc }),
    ...(mtu !== undefined && { mtu }),
  };
}

function originOf(protocol: number): RouteOrigin {
  switch (protocol) {
    case RTPROT_MARGAY:
      return "agent";
    case RTPROT_BIRD:
      return "bird";
    case RTPROT_KERNEL:
      return "kernel";
    default:
      return "other";
  }
}

function wantedTarget(target: RouteTarget): Pick<RouteView, "type" | "gateway" | "interface"> {
  switch (target.kind) {
    case "blackhole":
    case "throw":
      return { type: target.kind };
    case "link":
      return { type: "unicast", interface: target.ifName };
    case "gateway":
      return { type: "unicast", gateway: target.gateway };
    case "tunnel":
      return { type: "unicast", gateway: target.gateway, interface: target.ifName };
    case "underlay":
      return { type: "unicast", gateway: target.node };
  }
}

/** An interface that has gone meanwhile has no name, and what is on it goes too. */
function nameOf(ifIndex: number, links: LinkTable): string {
  return links.byIndex(ifIndex)?.name ?? `#${ifIndex}`;
}

function withPending<T extends Standing>(view: T, pending: string | undefined): T {
  return pending === undefined ? view : { ...view, pending };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
