// SPDX-License-Identifier: Apache-2.0
import { createNft } from "../dataplane/nft/nft.ts";
import type { NftTable } from "../dataplane/nft/statement.ts";
import type { Station } from "../trace/observation.ts";
import type { OpenStation } from "./open-station.ts";
import type { ProcessRunner } from "../system/process.ts";

/** Margay's tables that drop packets, and their sets. */
const FILTERS: readonly { readonly table: NftTable; readonly set: string }[] = [
  { table: { family: "ip", name: "margay" }, set: "nodes" },
  { table: { family: "ip6", name: "margay" }, set: "nodes" },
  { table: { family: "inet", name: "margay-source" }, set: "own4" },
  { table: { family: "inet", name: "margay-source" }, set: "own6" },
];

/** The elements of their sets, by `<family> <table> <set>`; of a table that is not there, nothing. Throws `NftError`. */
export async function readFilters(
  { processes }: { readonly processes: ProcessRunner },
  { netns, place }: OpenStation,
): Promise<NonNullable<Station["filters"]>> {
  const command = ["nsenter", `--net=${place.netnsPath}`, "nft"] as const;
  await using nft = createNft({ processes }, { netns, command });
  const found: Record<string, readonly string[]> = {};
  for (const { table, set } of FILTERS) {
    const listing = await nft.list(table);
    if (listing === undefined) continue;
    const elements = listing.elements.filter((element) => element.set === set);
    found[`${table.family} ${table.name} ${set}`] = elements.map(({ value }) => value);
  }
  return found;
}
