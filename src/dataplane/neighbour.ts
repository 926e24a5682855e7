// SPDX-License-Identifier: Apache-2.0
import { type WantedNeighbour, neighbourKey } from "../desired/wanted.ts";
import { familyOf } from "../net/ip.ts";
import { type LinkTable, missing } from "./link.ts";
import { NUD_PERMANENT, type Neighbour, deleteNeighbour, replaceNeighbour } from "./netlink/neighbour.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

export type NeighbourTable = ReconcileTable<WantedNeighbour, Neighbour>;

export function createNeighbourTable(): NeighbourTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** The key of an entry on an interface of ours; `undefined` for all others, which are not ours to look at. */
export function seenNeighbourKey(neighbour: Neighbour, links: LinkTable): string | undefined {
  const link = links.byIndex(neighbour.ifIndex);
  return link !== undefined && links.isOurIndex(link.index)
    ? neighbourKey(link.name, neighbour.ip)
    : undefined;
}

/** Ownership: a permanent entry on an interface of ours is ours; what the kernel learnt there by itself ages by itself. */
export function planNeighbour(key: string, table: NeighbourTable, links: LinkTable): Plan<Neighbour> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  const isPermanent = seen?.state === NUD_PERMANENT;
  if (wanted === undefined) {
    return seen !== undefined && isPermanent ? { kind: "remove", requests: [deleteNeighbour(seen)] } : DONE;
  }
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  if (isPermanent && seen.mac === wanted.mac && seen.ifIndex === link.index) return DONE;
  const { ip, mac } = wanted;
  const entry = { ifIndex: link.index, family: familyOf(ip), ip, mac, state: NUD_PERMANENT, flags: 0 };
  return { kind: "change", requests: [replaceNeighbour(entry)], after: entry };
}
