// SPDX-License-Identifier: Apache-2.0
import type { IPPool } from "../model/ip-pool.ts";
import type { Issue } from "../model/issue.ts";
import { overlapIssues } from "../model/pools.ts";
import { cidrOf, parseInterfaceAddress } from "../net/cidr.ts";
import type { Catalog } from "./catalog.ts";
import type { AgentConfig } from "./config.ts";

/**
 * Judges pools beside each other and beside this node's network. Each is right by itself, and other tools may store them without asking; packets
 * for addresses that two of them share would go astray, so no address is taken from either.
 */
export interface PoolReview {
  /** What is amiss, each pair of pools once. */
  issues(): readonly Issue[];
  /** What speaks against taking addresses from the pool. */
  issuesOf(pool: IPPool): readonly Issue[];
}

export function createPoolReview(
  catalog: Pick<Catalog, "pools">,
  { nodeName, address }: Pick<AgentConfig, "nodeName" | "address">,
): PoolReview {
  const { ip, prefixLength } = parseInterfaceAddress(address);
  const underlay = { name: `the network of node "${nodeName}"`, cidr: cidrOf(ip, prefixLength) };
  const nameOf = (pool: IPPool): string => pool.metadata.name;
  return {
    issues: () => overlapIssues(catalog.pools, [underlay]),
    issuesOf(pool) {
      const others = catalog.pools.filter((other) => nameOf(other) !== nameOf(pool));
      const rivals = others.map((other) => ({ name: `pool "${nameOf(other)}"`, cidr: other.spec.cidr }));
      return overlapIssues([pool], [underlay, ...rivals]);
    },
  };
}
