// SPDX-License-Identifier: Apache-2.0
import { deleteResource } from "../../datastore/resources.ts";
import { listResources } from "../../datastore/stored-resource.ts";
import type { Store } from "../../datastore/store.ts";
import { releaseEmptyBlocks } from "../../ipam/pool-blocks.ts";
import { type ResourceId, affinityPrefix } from "../../model/keys.ts";
import { parseNodeName } from "../../model/name.ts";
import type { Outcome } from "./carry-out.ts";
import { type DeletionOptions, count, waitOf } from "./deletion.ts";

/**
 * As Calico, together with its empty blocks and the records of its containers; other than Calico, those only where that is forced. What addresses the node still holds, garbage
 * collection gives back.
 */
export async function deleteNode(store: Store, id: ResourceId, options: DeletionOptions): Promise<Outcome> {
  const planned = await deleteResource(store, id, { ...options, dryRun: true });
  if (planned.kind !== "deleted") return planned;
  const all = await listResources(store, "WorkloadEndpoint", options);
  const endpoints = all.filter(
    ({ parsed }) =>
      parsed.kind === "ok" && parsed.value.kind === "WorkloadEndpoint" && parsed.value.spec.node === id.name,
  );
  if (endpoints.length > 0 && !options.isForced) {
    const remedy = "remove them first; --force deletes their records too, for a node that is gone for good";
    return { kind: "inUse", message: `it has ${count(endpoints.length, "container")}; ${remedy}` };
  }
  if (options.dryRun === true) return planned;
  for (const endpoint of endpoints) await deleteResource(store, endpoint.id, waitOf(options));
  const deleted = await deleteResource(store, id, options);
  if (deleted.kind === "deleted")
    await releaseEmptyBlocks(store, affinityPrefix(parseNodeName(id.name)), () => true, options);
  return deleted;
}
