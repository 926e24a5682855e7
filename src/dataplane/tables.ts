// SPDX-License-Identifier: Apache-2.0
import { familyOf } from "../net/ip.ts";
import type { DesiredDelta } from "../desired/wanted.ts";
import { type AddressTable, createAddressTable, seenAddressKey } from "./address.ts";
import { type ForwardingTable, createForwardingTable, seenForwardingKey } from "./forwarding.ts";
import { LinkTable } from "./link.ts";
import { createNeighbourTable, seenNeighbourKey } from "./neighbour.ts";
import { listAddresses } from "./netlink/address.ts";
import { listForwardingEntries } from "./netlink/fdb.ts";
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
  readonly addresses: AddressTable;
  readonly forwarding: ForwardingTable;
  readonly sysctls: ReturnType<typeof createSysctlTable>;
  readonly neighbours: ReturnType<typeof createNeighbourTable>;
  readonly routes: RouteTable;
}

export const KINDS = ["link", "address", "sysctl", "forwarding", "neighbour", "route"] as const;
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
    addresses: createAddressTable(),
    forwarding: createForwardingTable(),
    sysctls: createSysctlTable(),
    neighbours: createNeighbourTable(),
    routes: new RouteTable(),
  };
}

export function tableOf(tables: Tables, kind: Kind): AnyTable {
  const byKind: Record<Kind, AnyTable> = {
    link: tables.links.table,
    address: tables.addresses,
    sysctl: tables.sysctls,
    forwarding: tables.forwarding,
    neighbour: tables.neighbours,
    route: tables.routes.table,
  };
  return byKind[kind];
}

export function allTables(tables: Tables): readonly AnyTable[] {
  return KINDS.map((kind) => tableOf(tables, kind));
}

export function noteWanted(tables: Tables, delta: DesiredDelta): void {
  tables.links.table.want(delta.links);
  tables.addresses.want(delta.addresses);
  tables.sysctls.want(delta.sysctls);
  tables.forwarding.want(delta.forwarding);
  tables.neighbours.want(delta.neighbours);
  tables.routes.table.want(delta.routes);
}

/** Lists the kernel's objects anew. Links come first: the others are recognised by the interface they are on. */
export async function listSeen(tables: Tables, rtnetlink: Rtnetlink): Promise<void> {
  const { links, addresses, sysctls, forwarding, neighbours, routes } = tables;
  links.reset(await rtnetlink.list(listLinks));
  addresses.reset(keyed(await rtnetlink.list(listAddresses), (address) => seenAddressKey(address, links)));
  forwarding.reset(
    keyed(await rtnetlink.list(listForwardingEntries()), (entry) => seenForwardingKey(entry, links)),
  );
  neighbours.reset(
    keyed(await rtnetlink.list(listNeighbours), (neighbour) => seenNeighbourKey(neighbour, links)),
  );
  routes.reset(await rtnetlink.list(listRoutes), links);
  sysctls.markWanted();
}

/** The objects that have a key. */
function keyed<T>(objects: readonly T[], keyOf: (object: T) => string | undefined): ReadonlyMap<string, T> {
  const entries = objects.map((object) => [keyOf(object), object] as const);
  return new Map(entries.flatMap(([key, object]) => (key === undefined ? [] : [[key, object] as const])));
}

/** Takes in one event of the kernel. @returns "overrun" where more changed than events tell, and everything must be listed anew */
export function noteEvent(tables: Tables, event: RtEvent): "noted" | "overrun" {
  const { links, addresses, forwarding, neighbours, routes } = tables;
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
    case "address": {
      const key = seenAddressKey(event.address, links);
      if (key !== undefined) addresses.see(key, event.change === "new" ? event.address : undefined);
      markFaults(tables);
      // With an interface's last IPv4 address its routes go, without an event (fib_disable_ip(), net/ipv4/fib_frontend.c).
      return event.change === "deleted" && familyOf(event.address.ip) === 4 ? "overrun" : "noted";
    }
    case "fdb": {
      const key = seenForwardingKey(event.entry, links);
      if (key !== undefined) forwarding.see(key, event.change === "new" ? event.entry : undefined);
      return "noted";
    }
    case "rule":
      return "noted";
    case "overrun":
      return "overrun";
  }
}

function noteLink(tables: Tables, change: "new" | "deleted", link: Link): void {
  const { links, addresses, forwarding, neighbours, routes } = tables;
  const before = links.byIndex(link.index);
  const isUp = change === "new" && link.up;
  if (!isUp) {
    routes.forgetInterface(link.index);
    neighbours.forget((neighbour) => neighbour.ifIndex === link.index);
  }
  if (change === "deleted") {
    addresses.forget((address) => address.ifIndex === link.index);
    forwarding.forget((entry) => entry.ifIndex === link.index);
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
