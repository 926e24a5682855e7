// SPDX-License-Identifier: Apache-2.0
import type { Entry, Store, WaitOptions } from "../datastore/store.ts";
import { type IpamBlock, parseBlock } from "../model/ipam-block.ts";
import { handleBlocks, parseHandle } from "../model/ipam-handle.ts";
import { affinityPrefix, blockKey, handleKey, parseAffinityKey, resourcePrefix } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import { parseStoredResource } from "../model/resource.ts";
import {
  ENDPOINT_NAMESPACE,
  type WorkloadEndpoint,
  workloadEndpointPrefix,
} from "../model/workload-endpoint.ts";
import type { Cidr } from "../net/cidr.ts";
import { type Allocation, allocationsOf } from "./block.ts";
import type { SeenAddress } from "./release.ts";

/** An address that a node holds, as it was seen. */
export interface HeldAddress extends SeenAddress {
  readonly attributes: Allocation["attributes"];
}

/** A node, and what is known of where it holds addresses. */
export interface Holder {
  readonly name: NodeName;
  /** Blocks of other nodes in which it may have borrowed some. */
  readonly borrowedFrom: readonly Cidr[];
}

/** What the node holds, as its own blocks and those that it borrowed from say now; a key each is read, and nothing else. */
export async function addressesHeldBy(
  store: Store,
  { name, borrowedFrom }: Holder,
  options: WaitOptions,
): Promise<readonly HeldAddress[]> {
  const own = await claimedBlocks(store, name, options);
  const held: HeldAddress[] = [];
  for (const cidr of new Set([...own, ...borrowedFrom])) {
    const block = await readBlock(store, cidr, options);
    if (block === undefined) continue;
    held.push(
      ...allocationsOf(block).flatMap((one) => (one.attributes["node"] === name ? [seen(one, cidr)] : [])),
    );
  }
  return held;
}

/** The blocks that the node claims, in whatever state. */
export async function claimedBlocks(
  store: Store,
  node: NodeName,
  options: WaitOptions,
): Promise<readonly Cidr[]> {
  const { entries } = await store.list(affinityPrefix(node), options);
  return entries.flatMap(({ key }) => parseAffinityKey(key)?.cidr ?? []);
}

/** Those of the addresses whose handles have no others: all addresses of a handle are given back, or none. */
export async function wholeHandles(
  store: Store,
  addresses: readonly HeldAddress[],
  options: WaitOptions,
): Promise<readonly HeldAddress[]> {
  const whole: HeldAddress[] = [];
  for (const [handleId, some] of Map.groupBy(addresses, ({ handleId }) => handleId))
    if (handleId === undefined || (await countOf(store, handleId, options)) <= some.length)
      whole.push(...some);
  return whole;
}

/** How many addresses the handle has, in the blocks that it names; it may name too many, never too few. */
async function countOf(store: Store, handleId: string, options: WaitOptions): Promise<number> {
  const entry = await store.get(handleKey(handleId), options);
  const handle = entry && parseHandle(entry.value);
  if (handle?.kind !== "ok") return 0;
  let count = 0;
  for (const cidr of handleBlocks(handle.value)) {
    const block = await readBlock(store, cidr, options);
    if (block !== undefined) count += allocationsOf(block).filter((one) => one.handleId === handleId).length;
  }
  return count;
}

/** The record of an endpoint, and the entry that it was read from. */
export interface RecordedEndpoint {
  readonly entry: Entry;
  readonly spec: WorkloadEndpoint["spec"];
}

/** The records of the node's containers, as far as they can be read. */
export async function endpointsOf(
  store: Store,
  node: NodeName,
  options: WaitOptions,
): Promise<readonly RecordedEndpoint[]> {
  const prefix = resourcePrefix("WorkloadEndpoint", ENDPOINT_NAMESPACE) + workloadEndpointPrefix(node);
  const { entries } = await store.list(prefix, options);
  return entries.flatMap((entry) => {
    const spec = specOf(entry);
    return spec?.node === node ? [{ entry, spec }] : [];
  });
}

function specOf({ value }: Entry): WorkloadEndpoint["spec"] | undefined {
  try {
    const stored = parseStoredResource("WorkloadEndpoint", JSON.parse(value));
    return stored.kind === "ok" ? stored.value.spec : undefined;
  } catch {
    // What cannot be read belongs to nobody who is known.
    return undefined;
  }
}

/** One that cannot be read holds nothing that could be given back. */
async function readBlock(store: Store, cidr: Cidr, options: WaitOptions): Promise<IpamBlock | undefined> {
  const entry = await store.get(blockKey(cidr), options);
  const block = entry && parseBlock(entry.value);
  return block?.kind === "ok" ? block.value : undefined;
}

function seen({ ip, handleId, attributes, sequence }: Allocation, block: Cidr): HeldAddress {
  return { ip, block, handleId, attributes, sequence: String(sequence) };
}

/** Whether the two are one and the same: given to nobody else meanwhile. */
export function isSameHeld(a: SeenAddress, b: SeenAddress): boolean {
  return a.ip === b.ip && a.handleId === b.handleId && a.sequence === b.sequence;
}
