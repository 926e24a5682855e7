// SPDX-License-Identifier: Apache-2.0
// Checksums that are left to the network card come out wrong where that does not look inside tunnels. The kernel tells of no change here,
// so it is switched again with each audit; what somebody else switched off is never switched on.
import type { WantedChecksum } from "../desired/wanted.ts";
import { applyTable } from "./apply-table.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import { ETHTOOL_GENL_NAME, setTxChecksum } from "./netlink/ethtool.ts";
import type { Genetlink } from "./netlink/genetlink.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** What is seen is the index of the interface on which we switched the offload off. */
export type ChecksumTable = ReconcileTable<WantedChecksum, number>;

interface Switch {
  readonly description: string;
  readonly ifIndex: number;
  readonly isOn: boolean;
}

export function createChecksumTable(): ChecksumTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

export async function applyChecksums(table: ChecksumTable, links: LinkTable, kernel: Kernel): Promise<void> {
  const plan = (key: string): Plan<number, Switch> => planChecksum(key, table, links);
  const execute = (switches: readonly Switch[]): Promise<readonly (Error | undefined)[]> =>
    switchAll(switches, kernel.genetlink);
  await applyTable({ kind: "checksum", table, plan, execute }, kernel);
}

function planChecksum(key: string, table: ChecksumTable, links: LinkTable): Plan<number, Switch> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [switchTo(seen, true)] };
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  if (seen === link.index) return DONE;
  return { kind: "change", requests: [switchTo(link.index, false)], after: link.index };
}

function switchTo(ifIndex: number, isOn: boolean): Switch {
  const description = `switch transmit checksum offload ${isOn ? "on" : "off"} on link ${ifIndex}`;
  return { description, ifIndex, isOn };
}

async function switchAll(
  switches: readonly Switch[],
  genetlink: Genetlink,
): Promise<readonly (Error | undefined)[]> {
  try {
    const family = await genetlink.family(ETHTOOL_GENL_NAME);
    const requests = switches.map(({ ifIndex, isOn }) => setTxChecksum(family, { index: ifIndex }, isOn));
    return await genetlink.execute(requests);
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    return switches.map(() => failure);
  }
}
