// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrFamily, prefixLengthOf } from "../net/cidr.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { poolOf } from "../model/pools.ts";

/** A block of the node, as last seen. */
export interface OwnBlock {
  readonly cidr: Cidr;
  /** Addresses that can be given out. */
  readonly free: number;
  /** Whether nobody holds an address of it, and none cools down. */
  readonly isIdle: boolean;
}

/**
 * Whether the node should have another block ahead of need: less than a quarter of a block is free in those of the pools. Others then know of the
 * block before its first container.
 */
export function isLow(blocks: readonly OwnBlock[], pools: readonly IPPool[]): boolean {
  return pools.length > 0 && freeIn(blocks, pools) < Math.max(1, blockLength(pools) / 4);
}

/**
 * The blocks that the node can do without: those of pools that it takes no addresses from any more, and those without which half a block is free. The distance to
 * {@link isLow} keeps a node from claiming and giving back in turns.
 */
export function surplusOf(blocks: readonly OwnBlock[], pools: readonly IPPool[]): readonly Cidr[] {
  const enough = Math.max(2, blockLength(pools) / 2);
  let left = freeIn(blocks, pools);
  const surplus: Cidr[] = [];
  for (const { cidr, free, isIdle } of blocks) {
    if (!isIdle) continue;
    const isServing = poolOf(pools, cidrAddress(cidr)) !== undefined;
    if (isServing && left - free < enough) continue;
    if (isServing) left -= free;
    surplus.push(cidr);
  }
  return surplus;
}

/** Whether a block that is not needed yet can be taken: a quarter of the pools' blocks is left to other nodes then. */
export function leavesEnough(taken: Iterable<Cidr>, pools: readonly IPPool[]): boolean {
  const total = pools.reduce((sum, { spec }) => sum + 2 ** (spec.blockSize - prefixLengthOf(spec.cidr)), 0);
  const used = [...taken].filter((cidr) => poolOf(pools, cidrAddress(cidr)) !== undefined).length;
  return (used + 1) * 4 <= total * 3;
}

function freeIn(blocks: readonly OwnBlock[], pools: readonly IPPool[]): number {
  return blocks
    .filter(({ cidr }) => poolOf(pools, cidrAddress(cidr)) !== undefined)
    .reduce((sum, { free }) => sum + free, 0);
}

/** Addresses in a block of the first pool, which blocks are claimed from first. */
function blockLength([pool]: readonly IPPool[]): number {
  if (pool === undefined) return 0;
  const { cidr, blockSize } = pool.spec;
  return 2 ** ((cidrFamily(cidr) === 4 ? 32 : 128) - blockSize);
}
