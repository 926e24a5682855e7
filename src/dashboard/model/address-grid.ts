// SPDX-License-Identifier: Apache-2.0
// A pool as a grid: its blocks in the order of their addresses, a row after the other.
import { type Cidr, cidrAddress, cidrFamily, cidrOf, parseCidr, prefixLengthOf } from "../../net/cidr.ts";
import { type Family, addressBits, ipFromBigInt, ipToBigInt } from "../../net/ip.ts";
import type { Item } from "../../web/view/view.ts";

export type Pool = Item<"pools">;
export type Block = Item<"blocks">;

export interface GridCell {
  /** Its place, from 0 on, row by row. */
  readonly index: number;
  /** What of it is in use; several where the pool has more blocks than the grid has cells. */
  readonly blocks: readonly Block[];
}

export interface AddressGrid {
  readonly columns: number;
  readonly rows: number;
  /** How many blocks a cell stands for, a power of two. */
  readonly blocksPerCell: bigint;
  /** How many blocks the pool has room for. */
  readonly capacity: bigint;
  /** Those with a block, in order. */
  readonly cells: readonly GridCell[];
}

const MOST_CELLS = 1024n;

export function gridOf({ cidr, blockSize }: Pool, blocks: readonly Block[]): AddressGrid {
  const { first, length, size } = measuresOf(cidr, blockSize);
  const capacity = 1n << BigInt(Math.max(0, blockSize - length));
  const blocksPerCell = capacity > MOST_CELLS ? capacity / MOST_CELLS : 1n;
  const count = Number(capacity / blocksPerCell);
  const columns = 2 ** Math.ceil(Math.log2(count) / 2);
  const byCell = Map.groupBy(blocks, ({ id }) =>
    Number((ipToBigInt(cidrAddress(parseCidr(id))) - first) / size / blocksPerCell),
  );
  const cells = Array.from(byCell, ([index, inside]) => ({ index, blocks: inside }));
  return {
    columns,
    rows: Math.ceil(count / columns),
    blocksPerCell,
    capacity,
    cells: cells.filter(({ index }) => index >= 0 && index < count).sort((a, b) => a.index - b.index),
  };
}

/** In the order of their addresses. */
export function byAddress(blocks: readonly Block[]): readonly Block[] {
  const first = ({ id }: Block): bigint => ipToBigInt(cidrAddress(parseCidr(id)));
  const keyed = blocks.map((block) => ({ block, at: first(block) }));
  return keyed.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).map(({ block }) => block);
}

/** What a cell stands for. */
export function cellPrefix({ cidr, blockSize }: Pool, { blocksPerCell }: AddressGrid, index: number): Cidr {
  const { first, size, family } = measuresOf(cidr, blockSize);
  const start = ipFromBigInt(first + BigInt(index) * blocksPerCell * size, family);
  return cidrOf(start, blockSize - (blocksPerCell.toString(2).length - 1));
}

function measuresOf(
  text: string,
  blockSize: number,
): { readonly first: bigint; readonly length: number; readonly size: bigint; readonly family: Family } {
  const cidr = parseCidr(text);
  const family = cidrFamily(cidr);
  return {
    first: ipToBigInt(cidrAddress(cidr)),
    length: prefixLengthOf(cidr),
    size: 1n << BigInt(addressBits(family) - blockSize),
    family,
  };
}
