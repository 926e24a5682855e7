// SPDX-License-Identifier: Apache-2.0
// What is wanted of one table of nftables, item by item, beside what stands there.
import { type ItemDifference, compareItems } from "./compare-items.ts";
import type { NftListing } from "./nft/listing.ts";
import type { NftElement, NftFrame } from "./nft/statement.ts";

/** A table itself, without what changes often, or an element of one of its sets. */
export type Written = { readonly kind: "table"; readonly frame: NftFrame } | NftElement;

/** How the items of one kind are written. */
export interface RulesetItems<W> {
  /** What people know it by. */
  readonly title: string;
  /** Where the table itself is wanted. */
  readonly tableKey: string;
  write(wanted: W): Written;
  /** The key of the item that an element is. One that is not made here has a key that nothing is wanted at. */
  keyOf(element: NftElement): string;
}

/** A table that is not whole is one difference, for it is made anew with all that is in it. */
export function compareRuleset<W>(
  items: RulesetItems<W>,
  wanted: ReadonlyMap<string, W>,
  listing: NftListing | undefined,
): readonly ItemDifference[] {
  const { title, tableKey } = items;
  const table = wanted.get(tableKey);
  const frame = table && frameOf(items.write(table));
  if (frame === undefined)
    return listing === undefined
      ? []
      : [{ key: tableKey, state: "foreign", what: describeRemoval(title, { kind: "table", frame: [] }) }];
  const what = describeAddition(title, { kind: "table", frame });
  if (listing === undefined) return [{ key: tableKey, state: "missing", what }];
  const isWhole = listing.frame !== undefined && isSame(listing.frame, frame);
  return isWhole ? compareElements(items, wanted, listing) : [{ key: tableKey, state: "wrong", what }];
}

/** An element is what its key says. */
function compareElements<W>(
  items: RulesetItems<W>,
  wanted: ReadonlyMap<string, W>,
  { elements }: NftListing,
): readonly ItemDifference[] {
  const { title, tableKey } = items;
  const inTable = new Map([...wanted].filter(([key]) => key !== tableKey));
  const seen = new Map(elements.map((element) => [items.keyOf(element), element]));
  return compareItems(inTable, seen, {
    isSame: () => true,
    describeAddition: (item) => describeAddition(title, items.write(item)),
    describeRemoval: (element) => describeRemoval(title, element),
  });
}

export function describeAddition(title: string, written: Written): string {
  return written.kind === "table"
    ? `make the ${title}`
    : `add ${written.value} to "${written.set}" of the ${title}`;
}

export function describeRemoval(title: string, written: Written): string {
  return written.kind === "table"
    ? `remove the ${title}`
    : `remove ${written.value} from "${written.set}" of the ${title}`;
}

export function frameOf(written: Written): NftFrame | undefined {
  return written.kind === "table" ? written.frame : undefined;
}

/** Objects are plain data whose fields stand in one order; nft lists them in the order in which they were made. */
export function isSame(a: NftFrame, b: NftFrame): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
