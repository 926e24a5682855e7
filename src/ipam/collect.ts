// SPDX-License-Identifier: Apache-2.0
import type { Entry, Store, WaitOptions } from "../datastore/store.ts";
import { type IpamBlock, parseBlock, renderBlock } from "../model/ipam-block.ts";
import { affinityKey, blockKey, handleKey, resourceKey, resourcePrefix } from "../model/keys.ts";
import { type NodeName, parseNodeName } from "../model/name.ts";
import { parseStoredResource } from "../model/resource.ts";
import type { WorkloadEndpoint } from "../model/workload-endpoint.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { affinityOf, allocationsOf } from "./block.ts";
import { Cell } from "./cell.ts";
import { type Inventory, readInventory } from "./inventory.ts";
import { releaseEmptyBlocks } from "./pool-blocks.ts";
import { type SeenAddress, releaseSeenAddresses } from "./release.ts";

/** What came back to the cluster of a node that is gone. */
export interface Collected {
  readonly released: readonly Ip[];
  /** Keys of the records of its containers. */
  readonly endpoints: readonly string[];
}

const NOTHING: Collected = { released: [], endpoints: [] };

/**
 * Takes back what a node held whose Node resource is gone, and does nothing while that is there: a node that merely does not answer keeps everything. Whoever does
 * the same at the same time does no harm: each step is conditional on what was seen, and may find its work done.
 */
export async function collectNode(
  store: Store,
  name: NodeName,
  options: WaitOptions = {},
): Promise<Collected> {
  const inventory = await readInventory(store, options);
  if (inventory.nodes.has(name)) return NOTHING;
  const leaked = leakedBy(inventory, name);
  // Looked at once more: it may have come back while all of that was read.
  if ((await store.get(resourceKey("Node", name), options)) !== undefined) return NOTHING;
  const released = await releaseSeenAddresses(store, leaked, options);
  const own = await endpointsOf(store, name, options);
  for (const handleId of idleHandles(inventory, own, leaked)) await dropHandle(store, handleId, options);
  // After the addresses: until then they tell a later attempt whose handles are to be looked at.
  const endpoints = await removeEndpoints(store, own, options);
  await releaseEmptyBlocks(store, ({ node }) => node === name, options);
  const left = inventory.claims.filter(({ node }) => node === name).map(({ cidr }) => cidr);
  for (const cidr of left) await disown(store, name, cidr, options);
  return { released, endpoints };
}

/** The node's addresses; none of a holder that also has addresses elsewhere. */
function leakedBy({ blocks }: Inventory, node: string): readonly SeenAddress[] {
  const byHandle = new Map<string, (SeenAddress & { readonly isOurs: boolean })[]>();
  for (const [block, value] of blocks)
    for (const { ip, handleId, attributes, sequence } of allocationsOf(value)) {
      const key = handleId ?? `without a handle: ${ip}`;
      const seen = { ip, block, handleId, sequence: String(sequence), isOurs: attributes["node"] === node };
      byHandle.set(key, [...(byHandle.get(key) ?? []), seen]);
    }
  return [...byHandle.values()].filter((held) => held.every(({ isOurs }) => isOurs)).flat();
}

interface OwnEndpoint {
  readonly entry: Entry;
  readonly containerId: string | undefined;
}

async function endpointsOf(
  store: Store,
  node: string,
  options: WaitOptions,
): Promise<readonly OwnEndpoint[]> {
  const { entries } = await store.list(resourcePrefix("WorkloadEndpoint"), options);
  return entries.flatMap((entry) => {
    const spec = specOf(entry);
    return spec?.node === node ? [{ entry, containerId: spec.containerID }] : [];
  });
}

async function removeEndpoints(
  store: Store,
  own: readonly OwnEndpoint[],
  options: WaitOptions,
): Promise<readonly string[]> {
  for (const { entry } of own) await store.delete(entry.key, { ...options, expect: entry.revision });
  return own.map(({ entry }) => entry.key);
}

function specOf({ value }: Entry): WorkloadEndpoint["spec"] | undefined {
  try {
    const stored = parseStoredResource("WorkloadEndpoint", JSON.parse(value));
    return stored.kind === "ok" ? stored.value.spec : undefined;
  } catch {
    // What cannot be read belongs to nobody who is known to be gone.
    return undefined;
  }
}

/** Handles of the node's containers that had no address when everything was read: an earlier attempt ended between an address and its handle. */
function idleHandles(
  { blocks, handles }: Inventory,
  own: readonly OwnEndpoint[],
  leaked: readonly SeenAddress[],
): readonly string[] {
  const held = new Set(
    [...blocks.values()].flatMap((block) => allocationsOf(block).map(({ handleId }) => handleId)),
  );
  const released = new Set(leaked.map(({ handleId }) => handleId));
  return [...handles.keys()].filter(
    (handleId) =>
      !held.has(handleId) &&
      !released.has(handleId) &&
      own.some(({ containerId }) => containerId !== undefined && handleId.endsWith(`.${containerId}`)),
  );
}

async function dropHandle(store: Store, handleId: string, options: WaitOptions): Promise<void> {
  const key = handleKey(handleId);
  const entry = await store.get(key, options);
  if (entry !== undefined) await store.delete(key, { ...options, expect: entry.revision });
}

/** A block in which others have borrowed addresses is nobody's from now on, and goes with the last of them. */
async function disown(store: Store, node: NodeName, cidr: Cidr, { signal }: WaitOptions): Promise<void> {
  const block = new Cell<IpamBlock>(store, blockKey(cidr), { parse: parseBlock, render: renderBlock });
  await block.update((have) => {
    const isTheirs = have !== undefined && have.affinity === affinityOf(parseNodeName(node));
    return { value: isTheirs ? { ...have, affinity: null } : have, result: undefined };
  }, signal);
  const key = affinityKey(node, cidr);
  const entry = await store.get(key, signal && { signal });
  if (entry !== undefined) await store.delete(key, { ...(signal && { signal }), expect: entry.revision });
}
