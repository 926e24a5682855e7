// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp, cidrOf } from "../net/cidr.ts";
import { type Ip, familyOf } from "../net/ip.ts";
import type { Store } from "../datastore/store.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { blockPrefix, parseBlockKey } from "../model/keys.ts";
import { poolOf } from "../model/pools.ts";
import { type Allocation, allocationOf } from "./block.ts";
import type { NodeBlocks } from "./node-blocks.ts";

/** Where an address stands. */
export interface Lookup {
  readonly block: Cidr;
  /** The block's `host:<node>`; `null` where it is nobody's own. */
  readonly affinity: string | null;
  /** `undefined` while the address is free. */
  readonly allocation: Allocation | undefined;
}

export interface LookupOptions {
  /** Pools that the address may belong to: they say where its block is, unless it is older than their block size. */
  readonly pools?: readonly IPPool[];
  readonly signal?: AbortSignal;
}

/**
 * Reads where the address stands. One key is read where the block is the node's or is where the pools say, since there may
 * be thousands of blocks; all of them are listed only where it is neither.
 */
export async function lookUp(
  { store, blocks }: { readonly store: Store; readonly blocks: NodeBlocks },
  ip: Ip,
  { pools = [], signal }: LookupOptions,
): Promise<Lookup | undefined> {
  const pool = poolOf(pools, ip);
  const likely =
    pool === undefined
      ? holding(ip, await blocks.list(familyOf(ip), signal))
      : cidrOf(ip, pool.spec.blockSize);
  const found = likely && (await lookUpIn(likely, ip, blocks, signal));
  if (found !== undefined) return found;
  const { entries } = await store.list(blockPrefix(familyOf(ip)), signal === undefined ? {} : { signal });
  const cidrs = entries.map(({ key }) => parseBlockKey(key)).filter((cidr) => cidr !== undefined);
  const cidr = holding(ip, cidrs);
  return cidr && lookUpIn(cidr, ip, blocks, signal);
}

async function lookUpIn(
  cidr: Cidr,
  ip: Ip,
  blocks: NodeBlocks,
  signal: AbortSignal | undefined,
): Promise<Lookup | undefined> {
  const block = await blocks.read(cidr, signal);
  return block && { block: cidr, affinity: block.affinity, allocation: allocationOf(block, ip) };
}

function holding(ip: Ip, cidrs: readonly Cidr[]): Cidr | undefined {
  return cidrs.find((cidr) => cidrContainsIp(cidr, ip));
}
