// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp, cidrFamily, cidrsOverlap } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { IPPool } from "./ip-pool.ts";
import type { Issue } from "./issue.ts";
import { isMarkedAllocatable } from "./pool-condition.ts";
import { type Labels, parseSelector, selects } from "./selector.ts";

/** A network that exists without Margay, such as the one that nodes reach each other by. */
export interface Underlay {
  /** What a person knows it by, `network of node "host1"`. */
  readonly name: string;
  readonly cidr: Cidr;
}

/**
 * What speaks against giving out addresses of a pool, for each that something does: packets for addresses that it shares with an underlay, or with a pool
 * that has the better right to them, would go astray. As in Calico, that is one that serves already, then the older one, then the name; what does not
 * serve itself is in nobody's way.
 */
export function judgePools(
  pools: readonly IPPool[],
  underlays: readonly Underlay[],
): ReadonlyMap<string, readonly Issue[]> {
  const serving: IPPool[] = [];
  const found = new Map<string, readonly Issue[]>();
  for (const pool of pools.filter(({ spec }) => !spec.disabled).toSorted(byRight)) {
    const issues = [
      ...underlays.flatMap((underlay) => overlap(pool, underlay.name, underlay.cidr)),
      ...serving.flatMap((other) => overlap(pool, `pool "${other.metadata.name}"`, other.spec.cidr)),
    ];
    if (issues.length === 0) serving.push(pool);
    else found.set(pool.metadata.name, issues);
  }
  return found;
}

/** One without a time is younger than all others. */
function byRight(a: IPPool, b: IPPool): number {
  const isServing = Number(isMarkedAllocatable(b)) - Number(isMarkedAllocatable(a));
  const [ageA, ageB] = [a, b].map(({ metadata }) => metadata.creationTimestamp ?? "~");
  return isServing || compare(ageA ?? "", ageB ?? "") || compare(a.metadata.name, b.metadata.name);
}

/** That a pool shares addresses with what has the name. */
export function overlap(pool: IPPool, name: string, cidr: Cidr): readonly Issue[] {
  if (!cidrsOverlap(pool.spec.cidr, cidr)) return [];
  const message = `pool "${pool.metadata.name}" ("${pool.spec.cidr}") overlaps ${name} ("${cidr}")`;
  return [{ code: "conflict", path: "spec.cidr", message }];
}

/** The pools that a node may take blocks from, for containers of the namespace and without being told to, sorted by name. */
export function poolsForNode(
  pools: readonly IPPool[],
  node: { readonly labels: Labels },
  namespace: string,
): readonly IPPool[] {
  const labels = namespaceLabels(namespace);
  return pools
    .filter(({ spec }) => !spec.disabled && spec.assignmentMode === "Automatic")
    .filter(({ spec }) => spec.allowedUses.includes("Workload"))
    .filter(({ spec }) => selects(parseSelector(spec.nodeSelector), node.labels))
    .filter(({ spec }) => selects(parseSelector(spec.namespaceSelector ?? "all()"), labels))
    .toSorted((a, b) => compare(a.metadata.name, b.metadata.name));
}

/** Those that each namespace has by itself: of Kubernetes (1.22 or newer) and of Calico. Others are in objects that only Kubernetes has. */
function namespaceLabels(name: string): Labels {
  return { "kubernetes.io/metadata.name": name, "projectcalico.org/name": name };
}

export function poolsOfFamily(pools: readonly IPPool[], family: Family): readonly IPPool[] {
  return pools.filter(({ spec }) => cidrFamily(spec.cidr) === family);
}

/** The pool that the address belongs to; pools do not overlap. */
export function poolOf(pools: readonly IPPool[], ip: Ip): IPPool | undefined {
  return pools.find(({ spec }) => cidrContainsIp(spec.cidr, ip));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
