// SPDX-License-Identifier: Apache-2.0
import type { Store, WaitOptions } from "../datastore/store.ts";
import { type BlockAffinity, parseAffinity, renderAffinity } from "../model/ipam-affinity.ts";
import { type IpamBlock, parseBlock, renderBlock } from "../model/ipam-block.ts";
import { affinityKey, blockKey, blockPrefix, parseAffinityKey, parseBlockKey } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import { affinityOf, allocationsOf, isEmpty } from "./block.ts";
import { Cell } from "./cell.ts";

/** Those addresses of the chosen blocks that somebody has, without those of nodes' own tunnel ends. */
export async function addressesInUse(
  store: Store,
  family: Family,
  isChosen: (block: Cidr) => boolean,
  options: WaitOptions,
): Promise<readonly Ip[]> {
  const { entries } = await store.list(blockPrefix(family), options);
  return entries.flatMap(({ key, value }) => {
    const cidr = parseBlockKey(key);
    const block = parseBlock(value);
    if (cidr === undefined || !isChosen(cidr) || block.kind !== "ok") return [];
    const held = allocationsOf(block.value).filter(({ attributes }) => !isTunnelEnd(attributes["type"]));
    return held.map(({ ip }) => ip);
  });
}

/** Calico's names for the holders of tunnel addresses: `ipipTunnelAddress`, … */
function isTunnelEnd(type: string | undefined): boolean {
  return type?.endsWith("TunnelAddress") === true;
}

/** A node's claim to a block. */
export interface Claim {
  readonly node: NodeName;
  readonly cidr: Cidr;
}

/**
 * Takes those empty blocks from their nodes whose claims begin with `prefix` and are chosen, and removes them; a block that comes into use meanwhile stays its node's. Every step may find the work of an
 * earlier attempt done.
 */
export async function releaseEmptyBlocks(
  store: Store,
  prefix: string,
  isChosen: (claim: Claim) => boolean,
  { signal }: WaitOptions,
): Promise<void> {
  const { entries } = await store.list(prefix, signal === undefined ? {} : { signal });
  for (const { key } of entries) {
    const claim = parseAffinityKey(key);
    if (claim !== undefined && isChosen(claim)) await releaseIfEmpty(store, claim, signal);
  }
}

async function releaseIfEmpty(
  store: Store,
  { node, cidr }: Claim,
  signal: AbortSignal | undefined,
): Promise<void> {
  const affinities = { parse: parseAffinity, render: renderAffinity };
  const affinity = new Cell<BlockAffinity>(store, affinityKey(node, cidr), affinities);
  const block = new Cell<IpamBlock>(store, blockKey(cidr), { parse: parseBlock, render: renderBlock });
  const keeps = (have: IpamBlock | undefined): boolean =>
    have !== undefined && have.affinity === affinityOf(node) && !isEmpty(have);
  const isKept = await block.update((have) => ({ value: have, result: keeps(have) }), signal);
  if (isKept) return;
  // Announced first: from here on nobody routes to the block.
  const setState = (state: BlockAffinity["state"]): Promise<undefined> =>
    affinity.update((have) => ({ value: have && { ...have, state }, result: undefined }), signal);
  await setState("pendingDeletion");
  const isGone = await block.update((have) => {
    const isOther = have !== undefined && have.affinity !== affinityOf(node);
    const stays = isOther || keeps(have);
    return { value: stays ? have : undefined, result: !keeps(have) };
  }, signal);
  if (isGone) await affinity.update(() => ({ value: undefined, result: undefined }), signal);
  else await setState("confirmed");
}
