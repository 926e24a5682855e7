// SPDX-License-Identifier: Apache-2.0
import { addressAt, cidrOf, cidrSize, prefixLengthOf } from "../net/cidr.ts";
import type { IPPool } from "./ip-pool.ts";
import type { Issue, Parsed } from "./issue.ts";
import { isSubdomain } from "./name.ts";

/** Nodes look through all pools for each route. */
export const MOST_PARTS = 1024;

/** Whether a pool can be divided into so many parts, its size aside. */
export function isPartCount(number: number): boolean {
  return Number.isInteger(Math.log2(number)) && number > 1 && number <= MOST_PARTS;
}

/**
 * The pools of equal size that take the place of one, in the order of their addresses, with its settings, labels and annotations. `number` must be one that {@link isPartCount}
 * takes. A block of the pool lies in one of them, so every block stays valid.
 */
export function splitPool(pool: IPPool, number: number): Parsed<readonly IPPool[]> {
  const { apiVersion, kind, metadata, spec } = pool;
  const issues = splitIssues(pool, number);
  if (issues.length > 0) return { kind: "invalid", issues };
  const { uid, creationTimestamp, resourceVersion, ...kept } = metadata;
  const size = cidrSize(spec.cidr) / BigInt(number);
  const value = Array.from({ length: number }, (_, index): IPPool => {
    const cidr = cidrOf(addressAt(spec.cidr, size * BigInt(index)), partLength(pool, number));
    return {
      apiVersion,
      kind,
      metadata: { ...kept, name: partName(metadata.name, index) },
      spec: { ...spec, cidr },
    };
  });
  return { kind: "ok", value };
}

/** What the part with the index, from 0, is called: as by calicoctl. */
export function partName(name: string, index: number): string {
  return `split-${name}-${index}`;
}

/** The pool whose first part may have the name. */
export function splitName(name: string): string | undefined {
  return /^split-(.+)-0$/.exec(name)?.[1];
}

function partLength({ spec }: IPPool, number: number): number {
  return prefixLengthOf(spec.cidr) + Math.log2(number);
}

function splitIssues(pool: IPPool, number: number): readonly Issue[] {
  const { cidr, blockSize } = pool.spec;
  const last = partName(pool.metadata.name, number - 1);
  const most = 2 ** (blockSize - prefixLengthOf(cidr));
  return [
    ...(partLength(pool, number) > blockSize
      ? [
          conflict(
            "spec.blockSize",
            `"${cidr}" has ${most === 1 ? "one block" : `${most} blocks`} of /${blockSize}, too few for ${number} pools`,
          ),
        ]
      : []),
    ...(isSubdomain(last) ? [] : [conflict("metadata.name", `"${last}" would be no valid name`)]),
  ];
}

function conflict(path: string, message: string): Issue {
  return { code: "conflict", path, message };
}
