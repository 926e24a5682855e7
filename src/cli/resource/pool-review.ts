// SPDX-License-Identifier: Apache-2.0
import { nodeFacts } from "../../agent/facts.ts";
import type { ChangeOptions } from "../../datastore/resources.ts";
import { listResources } from "../../datastore/stored-resource.ts";
import type { Store, WaitOptions } from "../../datastore/store.ts";
import type { IPPool } from "../../model/ip-pool.ts";
import type { Issue } from "../../model/issue.ts";
import { memberAt } from "../../model/json.ts";
import { overlap } from "../../model/pools.ts";
import { type AnyResource, type Kind, type Resources, parseStoredResource } from "../../model/resource.ts";

/**
 * Refuses a pool that begins to give out addresses which another one gives out, or which nodes have, as Calico does. Agents would do without the pool; a person should hear of it
 * at once. `siblings` are what the same command writes.
 */
export function reviewPools(
  store: Store,
  siblings: readonly AnyResource[],
  wait: WaitOptions,
): NonNullable<ChangeOptions["review"]> {
  return async (after, before) => {
    const parsed = after["kind"] === "IPPool" ? parseStoredResource("IPPool", after) : undefined;
    // Its prefix cannot change: one that serves already is judged by the agents.
    const isServing = before !== undefined && memberAt(before, "spec", "disabled") !== true;
    if (parsed?.kind !== "ok" || parsed.value.spec.disabled || isServing) return [];
    const pool = parsed.value;
    const written = siblings.filter((one) => one.kind === "IPPool");
    const names = new Set(written.map(({ metadata }) => metadata.name));
    const stored = await valuesOf(store, "IPPool", wait);
    const others = [...stored.filter(({ metadata }) => !names.has(metadata.name)), ...written];
    return [...overlapsWithPools(pool, others), ...(await overlapsWithNodes(store, pool, wait))];
  };
}

function overlapsWithPools(pool: IPPool, others: readonly IPPool[]): readonly Issue[] {
  return others
    .filter(({ metadata, spec }) => metadata.name !== pool.metadata.name && !spec.disabled)
    .flatMap(({ metadata, spec }) => overlap(pool, `pool "${metadata.name}"`, spec.cidr));
}

async function overlapsWithNodes(store: Store, pool: IPPool, wait: WaitOptions): Promise<readonly Issue[]> {
  const nodes = await valuesOf(store, "Node", wait);
  const networks = new Map(
    nodes.flatMap((node) => {
      const subnet = nodeFacts(node)?.subnet;
      return subnet === undefined ? [] : [[subnet, node.metadata.name] as const];
    }),
  );
  return Array.from(networks).flatMap(([cidr, node]) => overlap(pool, `the network of node "${node}"`, cidr));
}

/** Those that can be read. */
async function valuesOf<K extends Kind>(
  store: Store,
  kind: K,
  wait: WaitOptions,
): Promise<readonly Resources[K][]> {
  const resources = await listResources(store, kind, wait);
  return resources.flatMap(({ json }) => {
    const parsed = parseStoredResource(kind, json);
    return parsed.kind === "ok" ? [parsed.value] : [];
  });
}
