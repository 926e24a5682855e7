// SPDX-License-Identifier: Apache-2.0
import { type ChangeOptions, type Seen, changeResource, deleteResource } from "../../datastore/resources.ts";
import { type StoredResource, listResources, readResource } from "../../datastore/stored-resource.ts";
import type { Store } from "../../datastore/store.ts";
import { addressesInUse, releaseEmptyBlocks } from "../../ipam/pool-blocks.ts";
import { memberAt } from "../../model/json.ts";
import { type ResourceId, affinityPrefix } from "../../model/keys.ts";
import { mergePatch } from "../../model/merge-patch.ts";
import { type Cidr, cidrContains, cidrFamily, parseCidr } from "../../net/cidr.ts";
import type { Outcome } from "./carry-out.ts";
import { type DeletionOptions, count, waitOf } from "./deletion.ts";

/**
 * As Calico: no address is given out from the pool any more, its empty blocks are taken from their nodes, and then it goes. Other than Calico, a pool whose addresses containers
 * have stays.
 */
export async function deletePool(store: Store, id: ResourceId, options: DeletionOptions): Promise<Outcome> {
  const stored = await readResource(store, id, options);
  const planned = await deleteResource(store, id, { ...options, dryRun: true });
  const pool = cidrOf(stored);
  if (pool === undefined || planned.kind !== "deleted") return await deleteResource(store, id, options);
  const isOwn = await ownBlocks(store, id, pool, options);
  const used = await usage(store, pool, isOwn, options);
  if (used !== undefined) return used;
  if (options.dryRun === true) return planned;
  await setDisabled(store, id, true, options);
  await releaseEmptyBlocks(store, affinityPrefix(), ({ cidr }) => isOwn(cidr), options);
  // Until it was disabled, addresses may have been given out.
  const usedMeanwhile = await usage(store, pool, isOwn, options);
  if (usedMeanwhile === undefined)
    return await deleteResource(store, id, { ...options, seen: uidOf(options) });
  await setDisabled(store, id, memberAt(stored?.json, "spec", "disabled") === true, options);
  return usedMeanwhile;
}

/** Blocks of the pool and of no other that overlaps it: those stay where they are. */
async function ownBlocks(
  store: Store,
  id: ResourceId,
  pool: Cidr,
  options: DeletionOptions,
): Promise<(block: Cidr) => boolean> {
  const all = await listResources(store, "IPPool", options);
  const others = all.filter((one) => one.id.name !== id.name).flatMap((one) => cidrOf(one) ?? []);
  return (block) => cidrContains(pool, block) && !others.some((other) => cidrContains(other, block));
}

/** Of a pool that is wrong in something else, too: its containers have their addresses all the same. */
function cidrOf(stored: StoredResource | undefined): Cidr | undefined {
  const cidr = memberAt(stored?.json, "spec", "cidr");
  try {
    return typeof cidr === "string" ? parseCidr(cidr) : undefined;
  } catch {
    return undefined;
  }
}

/** Disabling the pool gave it another version; it still is the one that was meant. */
function uidOf({ seen }: DeletionOptions): Seen {
  return { uid: seen?.uid };
}

function setDisabled(
  store: Store,
  id: ResourceId,
  disabled: boolean,
  options: ChangeOptions,
): Promise<unknown> {
  return changeResource(store, id, (before) => mergePatch(before, { spec: { disabled } }), waitOf(options));
}

async function usage(
  store: Store,
  pool: Cidr,
  isOwn: (block: Cidr) => boolean,
  options: DeletionOptions,
): Promise<Outcome | undefined> {
  if (options.isForced) return undefined;
  const used = await addressesInUse(store, cidrFamily(pool), isOwn, options);
  if (used.length === 0) return undefined;
  const remedy =
    'to give out no more of them, patch it with {"spec":{"disabled":true}}; --force deletes it all the same';
  return {
    kind: "inUse",
    message: `containers have ${count(used.length, "address")} of it, such as ${used[0] ?? ""}; ${remedy}`,
  };
}
