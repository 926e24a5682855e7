// SPDX-License-Identifier: Apache-2.0
import type { DesiredDelta } from "../desired/wanted.ts";
import { LinkTable } from "./link.ts";
import { createNeighbourTable, seenNeighbourKey } from "./neighbour.ts";
import { type Link, listLinks } from "./netlink/link.ts";
import { listNeighbours } from "./netlink/neighbour.ts";
import { listRoutes } from "./netlink/route.ts";
import type { RtEvent, Rtnetlink } from "./netlink/rtnetlink.ts";
import { RouteTable } from "./route.ts";
import { createSysctlTable } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";

/** Every kind of object that is reconciled, wanted and seen side by side. */
export interface Tables {
  readonly links: LinkTable;
  readonly sysctls: ReturnType<typeof createSysctlTable>;
  readonly neighbours: ReturnType<typeof createNeighbourTable>;
  readonly routes: RouteTable;
}

export const KINDS = ["link", "sysctl", "neighbour", "route"] as const;
export type Kind = (typeof KINDS)[number];

/** What the tables have in common, whatever they hold. */
type AnyTable = Pick<
  ReconcileTable<unknown, unknown>,
  | "faults"
  | "blocked"
  | "nextRetryMs"
  | "isBusy"
  | "giveUp"
  | "wantedCount"
  | "pendingOn"
  | "markFaults"
  | "markInterface"
>;

export function createTables(): Tables {
  return {
    links: new LinkTable(),
    sysctls: createSysctlTable(),
    neighbours: createNeighbourTable(),
    routes: new RouteTable(),
  };
}

export function tableOf({ links, sysctls, neighbours, routes }: Tables, kind: Kind): AnyTable {
  const byKind: Record<Kind, AnyTable> = {
    link: links.table,
    sysctl: sysctls,
    neighbour: neighbours,
    route: routes.table,
  };
  return byKind[kind];
}

export function allTables(tables: Tables): readonly AnyTable[] {
  return KINDS.map((kind) => tableOf(tables, kind));
}

export function noteWanted({ links, sysctls, neighbours, routes }: Tables, delta: DesiredDelta): void {
  links.table.want(delta.links);
  sysctls.want(delta.sysctls);
  neighbours.want(delta.neighbours);
  routes.table.want(delta.routes);
}

/** Lists the kernel's objects anew. Links come first: the others are recognised by the interface they are on. */
export async function listSeen(
  { links, sysctls, neighbours, routes }: Tables,
  rtnetlink: Rtnetlink,
): Promise<void> {
  links.reset(await rtnetlink.list(listLinks));
  const entries = await rtnetlink.list(listNeighbours);
  const keyed = entries.map((entry) => [seenNeighbourKey(entry, links), entry] as const);
  neighbours.reset(
    new Map(keyed.flatMap(([key, entry]) => (key === undefined ? [] : [[key, entry] as const]))),
  );
  routes.reset(await rtnetlink.list(listRoutes), links);
  sysctls.markWanted();
}

/** Takes in one event of the kernel. @returns "overrun" where events were lost and everything must be listed anew */
export function noteEvent(tables: Tables, event: RtEvent): "noted" | "overrun" {
  const { links, neighbours, routes } = tables;
  switch (event.kind) {
    case "link":
      noteLink(tables, event.change, event.link);
      return "noted";
    case "route":
      if (event.change === "new") routes.see(event.route, links);
      else routes.remove(event.route, links);
      return "noted";
    case "neighbour": {
      const key = seenNeighbourKey(event.neighbour, links);
      if (key !== undefined) neighbours.see(key, event.change === "new" ? event.neighbour : undefined);
      return "noted";
    }
    case "address":
      markFaults(tables);
      return "noted";
    case "fdb":
    case "rule":
      return "noted";
    case "overrun":
      return "overrun";
  }
}

function noteLink(tables: Tables, change: "new" | "deleted", link: Link): void {
  const { links, neighbours, routes } = tables;
  const before = links.byIndex(link.index);
  const isUp = change === "new" && link.up;
  if (!isUp) {
    routes.forgetInterface(link.index);
    neighbours.forget((neighbour) => neighbour.ifIndex === link.index);
  }
  if (change === "deleted") links.remove(link);
  else links.see(link);
  const isOldNews = isUp && before?.up === true && before.name === link.name;
  if (isOldNews) return;
  for (const table of allTables(tables)) table.markInterface(link.name);
  markFaults(tables);
}

function markFaults(tables: Tables): void {
  for (const table of allTables(tables)) table.markFaults();
}
