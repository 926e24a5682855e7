// SPDX-License-Identifier: Apache-2.0
import { type WantedForwarding, forwardingKey } from "../desired/wanted.ts";
import { type LinkTable, missing } from "./link.ts";
import {
  type ForwardingEntry,
  NTF_SELF,
  deleteForwardingEntry,
  replaceForwardingEntry,
} from "./netlink/fdb.ts";
import { NUD_PERMANENT } from "./netlink/neighbour.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

export type ForwardingTable = ReconcileTable<WantedForwarding, ForwardingEntry>;

export function createForwardingTable(): ForwardingTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** Ownership: entries that lead to another end of a tunnel device are ours. */
export function seenForwardingKey(entry: ForwardingEntry, links: LinkTable): string | undefined {
  const link = links.byIndex(entry.ifIndex);
  const isOurs = link !== undefined && links.isTunnelIndex(link.index) && entry.dst !== undefined;
  return isOurs ? forwardingKey(link.name, entry.mac) : undefined;
}

export function planForwarding(key: string, table: ForwardingTable, links: LinkTable): Plan<ForwardingEntry> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [deleteForwardingEntry(seen)] };
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  const { mac, dst } = wanted;
  if (seen?.ifIndex === link.index && seen.dst === dst && (seen.state & NUD_PERMANENT) !== 0) return DONE;
  const entry = { ifIndex: link.index, mac, dst };
  const after = { ...entry, state: NUD_PERMANENT, flags: NTF_SELF };
  return { kind: "change", requests: [replaceForwardingEntry(entry)], after };
}
