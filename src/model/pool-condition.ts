// SPDX-License-Identifier: Apache-2.0
import type { IPPool } from "./ip-pool.ts";
import { type Issue, formatIssues } from "./issue.ts";

/**
 * Whether addresses are given out from a pool, as its status says it to people and to Calico. Type and reasons are those of Calico's IPPool
 * controller; `Invalid` is ours, for what is stored and cannot be read as a pool.
 */
export interface PoolCondition {
  readonly type: "Allocatable";
  readonly status: "True" | "False";
  readonly reason: "OK" | "PoolDisabled" | "CIDROverlap" | "Invalid";
  readonly message: string;
}

/** `issues` is what speaks against the pool beside others and the nodes' networks. */
export function poolCondition({ spec }: IPPool, issues: readonly Issue[]): PoolCondition {
  if (spec.disabled) return refusal("PoolDisabled", "spec.disabled is true");
  if (issues.length > 0) return refusal("CIDROverlap", formatIssues(issues));
  return {
    type: "Allocatable",
    status: "True",
    reason: "OK",
    message: "addresses are given out from the pool",
  };
}

/** Of one that cannot be read, with what is wrong. */
export function invalidPoolCondition(issues: string): PoolCondition {
  return refusal("Invalid", issues);
}

function refusal(reason: PoolCondition["reason"], message: string): PoolCondition {
  return { type: "Allocatable", status: "False", reason, message };
}

/** Whether somebody has said that addresses are given out from the pool. */
export function isMarkedAllocatable({ status }: IPPool): boolean {
  const condition = status?.conditions.find(({ type }) => type === "Allocatable");
  return condition?.status === "True";
}
