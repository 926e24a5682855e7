// SPDX-License-Identifier: Apache-2.0
import type { PoolWish } from "../cni/collaborators.ts";
import { CniError } from "../cni/error.ts";
import { findAskedPools } from "../model/asked-pools.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { type Issue, formatIssues } from "../model/issue.ts";
import type { Family } from "../net/ip.ts";
import type { Catalog } from "./catalog.ts";
import type { PoolReview } from "./pool-review.ts";

/** The pools of the family that a network asks for, none where it asks for none; throws {@link CniError} where any pool that it asks for cannot be used. */
export function askedPools(
  { pools }: Pick<Catalog, "pools">,
  review: Pick<PoolReview, "issuesOf">,
  family: Family,
  { ipv4Pools = [], ipv6Pools = [] }: PoolWish,
): readonly IPPool[] {
  const [four, six] = [findAskedPools(pools, ipv4Pools, 4), findAskedPools(pools, ipv6Pools, 6)];
  const issues = [...issuesAt("ipam.ipv4_pools", four), ...issuesAt("ipam.ipv6_pools", six)];
  if (issues.length > 0)
    throw new CniError("invalidConfig", `Cannot use network configuration: ${formatIssues(issues)}`);
  const wanted = family === 4 ? four : six;
  const found = wanted.kind === "ok" ? wanted.value : [];
  const unsound = found.flatMap((pool) => review.issuesOf(pool));
  if (unsound.length > 0)
    throw new CniError("invalidConfig", `Cannot take an address: ${formatIssues(unsound)}`);
  return found;
}

function issuesAt(path: string, found: ReturnType<typeof findAskedPools>): readonly Issue[] {
  return found.kind === "ok" ? [] : found.issues.map((issue) => ({ ...issue, path: path + issue.path }));
}
