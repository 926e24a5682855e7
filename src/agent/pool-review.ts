// SPDX-License-Identifier: Apache-2.0
import type { IPPool } from "../model/ip-pool.ts";
import type { Issue } from "../model/issue.ts";
import { judgePools } from "../model/pools.ts";
import type { Catalog } from "./catalog.ts";

/** Judges pools beside each other and beside the nodes' networks. Each is right by itself, and other tools may store them without asking. */
export interface PoolReview {
  /** What is amiss with any of them. */
  issues(): readonly Issue[];
  /** What speaks against taking addresses from the pool. */
  issuesOf(pool: IPPool): readonly Issue[];
}

export function createPoolReview(catalog: Pick<Catalog, "pools" | "networks" | "poolRevision">): PoolReview {
  let judged: { readonly revision: number; readonly issues: ReturnType<typeof judgePools> } | undefined;
  const judge = (): ReturnType<typeof judgePools> => {
    const { pools, networks, poolRevision: revision } = catalog;
    if (judged?.revision !== revision) {
      const underlays = Array.from(networks, ([cidr, node]) => ({
        name: `the network of node "${node}"`,
        cidr,
      }));
      judged = { revision, issues: judgePools(pools, underlays) };
    }
    return judged.issues;
  };
  return {
    issues: () => [...judge().values()].flat(),
    issuesOf: ({ metadata }) => judge().get(metadata.name) ?? [],
  };
}
