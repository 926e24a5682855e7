// SPDX-License-Identifier: Apache-2.0
import { type Cidr, addressAt, cidrOf, cidrSize, prefixLengthOf } from "../net/cidr.ts";

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const MASK_64 = (1n << 64n) - 1n;

/**
 * The blocks of a pool in an order of the node's own, so that nodes which need a block at the same time seldom want
 * the same one. Each block comes once; the same node always sees the same order. Lazy: a pool may hold 2^64 blocks.
 */
export function* blocksOf(pool: Cidr, blockSize: number, node: string): Generator<Cidr, void, undefined> {
  const count = 1n << BigInt(blockSize - prefixLengthOf(pool));
  const addresses = cidrSize(pool) / count;
  const start = fnv1a(node);
  // The count is a power of two, so steps of any odd width reach every block before they repeat.
  const step = fnv1a(`${node}/`) | 1n;
  for (let turn = 0n; turn < count; turn++) {
    const place = (start + turn * step) % count;
    yield cidrOf(addressAt(pool, place * addresses), blockSize);
  }
}

/** 64-bit FNV-1a over the text's UTF-16 units: names are ASCII. */
function fnv1a(text: string): bigint {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index++)
    hash = ((hash ^ BigInt(text.charCodeAt(index))) * FNV_PRIME) & MASK_64;
  return hash ^ (hash >> 32n);
}
