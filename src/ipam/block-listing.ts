// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContains, cidrsOverlap } from "../net/cidr.ts";
import { DatastoreError, type Entry } from "../datastore/store.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { IpamBlock } from "../model/ipam-block.ts";
import { parseBlockKey } from "../model/keys.ts";
import { type Log, describeError } from "../system/log.ts";
import { blocksOf } from "./block-order.ts";

/** What the store's blocks of one family were, when they were listed. */
export type BlockListing = ReadonlyMap<Cidr, IpamBlock>;

/** Candidates looked at beyond those that exist, where reservations cover whole blocks. */
const MAX_RESERVED_BLOCKS = 65_536n;

/** Reads the entries of a listing. A block that cannot be read is told, and counts as full: nobody may take its place. */
export function readListing(
  entries: readonly Entry[],
  read: (cidr: Cidr, entry: Entry) => IpamBlock,
  log: Log,
): BlockListing {
  const blocks = new Map<Cidr, IpamBlock>();
  for (const entry of entries) {
    const cidr = parseBlockKey(entry.key);
    if (cidr === undefined) continue;
    try {
      blocks.set(cidr, read(cidr, entry));
    } catch (error) {
      if (!(error instanceof DatastoreError)) throw error;
      log.error("cannot read block", { block: cidr, error: describeError(error) });
      blocks.set(cidr, unreadable(cidr));
    }
  }
  return blocks;
}

/** Blocks of the pools that do not exist yet and are not wholly reserved, in the node's own order. */
export function* freeBlocks(
  {
    pools,
    reservations = [],
  }: { readonly pools: readonly IPPool[]; readonly reservations?: readonly Cidr[] },
  node: string,
  blocks: BlockListing,
): Generator<Cidr, void, undefined> {
  for (const { spec } of pools) {
    // Among this many blocks there is a free one, if there is one at all.
    let left = BigInt(blocks.size) + MAX_RESERVED_BLOCKS;
    for (const cidr of blocksOf(spec.cidr, spec.blockSize, node)) {
      if (left-- === 0n) break;
      if (!reservations.some((reserved) => cidrContains(reserved, cidr)) && isFree(cidr, blocks)) yield cidr;
    }
  }
}

/** Whether nothing stands in the block's place, nor a block of another size left by a pool that was cut differently. */
function isFree(cidr: Cidr, blocks: BlockListing): boolean {
  return !blocks.has(cidr) && !blocks.keys().some((other) => cidrsOverlap(cidr, other));
}

/** Whatever stands in the block's place: the block itself, or blocks of other sizes. */
export function overlapping(cidr: Cidr, blocks: BlockListing): readonly Cidr[] {
  return [...blocks.keys().filter((other) => cidrsOverlap(cidr, other))];
}

function unreadable(cidr: Cidr): IpamBlock {
  return {
    cidr,
    affinity: null,
    allocations: [],
    unallocated: [],
    attributes: [],
    sequenceNumber: 0n,
    sequenceNumberForAllocation: {},
    deleted: false,
  };
}
