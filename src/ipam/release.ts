// SPDX-License-Identifier: Apache-2.0
import type { Store, WaitOptions } from "../datastore/store.ts";
import { type IpamBlock, parseBlock, renderBlock } from "../model/ipam-block.ts";
import { type IpamHandle, countInHandle, parseHandle, renderHandle } from "../model/ipam-handle.ts";
import { blockKey, handleKey } from "../model/keys.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { isEmpty, releaseWhere } from "./block.ts";
import { Cell } from "./cell.ts";

/** An address as it was seen to be held. */
export interface SeenAddress {
  readonly ip: Ip;
  readonly block: Cidr;
  readonly handleId: string | undefined;
  /** Of the allocation, in decimal. */
  readonly sequence: string;
}

/**
 * Gives back addresses from outside of their node, each only if it is still held as it was seen: one that was given to somebody else
 * meanwhile has another sequence number. Returns those that were given back.
 */
export async function releaseSeenAddresses(
  store: Store,
  seen: readonly SeenAddress[],
  { signal }: WaitOptions = {},
): Promise<readonly Ip[]> {
  const released: Ip[] = [];
  for (const address of seen) if (await releaseOne(store, address, signal)) released.push(address.ip);
  return released;
}

async function releaseOne(
  store: Store,
  seen: SeenAddress,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { ip, block: cidr, handleId, sequence } = seen;
  const block = new Cell<IpamBlock>(store, blockKey(cidr), { parse: parseBlock, render: renderBlock });
  const isReleased = await block.update((have) => {
    if (have === undefined) return { value: have, result: false };
    const { block: next, released } = releaseWhere(
      have,
      (held) => held.ip === ip && held.handleId === handleId && String(held.sequence) === sequence,
    );
    // A block that nobody owns any more goes with its last address.
    const value = released.length > 0 && next.affinity === null && isEmpty(next) ? undefined : next;
    return { value, result: released.length > 0 };
  }, signal);
  if (isReleased && handleId !== undefined) await uncount(store, handleId, cidr, signal);
  return isReleased;
}

/** After the block: a handle may say too much, never too little. */
async function uncount(
  store: Store,
  handleId: string,
  cidr: Cidr,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = new Cell<IpamHandle>(store, handleKey(handleId), {
    parse: parseHandle,
    render: renderHandle,
  });
  await handle.update((have) => ({ value: countInHandle(have, cidr, -1), result: undefined }), signal);
}
