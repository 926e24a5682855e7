// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, parseCidr } from "../net/cidr.ts";
import type { Family } from "../net/ip.ts";
import type { IPPool } from "./ip-pool.ts";
import type { Issue, Parsed } from "./issue.ts";
import { isSubdomain } from "./name.ts";

/** A pool as those ask for it who want this one and no other: by its name, or by its prefix. */
export type AskedPool =
  { readonly kind: "name"; readonly name: string } | { readonly kind: "cidr"; readonly cidr: Cidr };

/** Parses a pool's name or prefix; throws `SyntaxError`. No name holds a slash. */
export function parseAskedPool(text: string): AskedPool {
  if (text.includes("/")) return { kind: "cidr", cidr: parseCidr(text) };
  if (isSubdomain(text)) return { kind: "name", name: text };
  throw new SyntaxError(`Cannot use ${JSON.stringify(text)}: want the name or the prefix of a pool`);
}

/**
 * The pools that are asked for, in that order. As in Calico they have to be enabled and to serve containers, of nodes and namespaces whatever their selectors say, and pools whose
 * `assignmentMode` is Manual are had in no other way. Paths of issues begin with the index, `[0]`.
 */
export function findAskedPools(
  pools: readonly IPPool[],
  asked: readonly AskedPool[],
  family: Family,
): Parsed<readonly IPPool[]> {
  const found = asked.map((one) => pools.find((pool) => isAsked(pool, one)));
  const issues = asked.flatMap((one, index): readonly Issue[] => {
    const message = refusal(found[index], one, family);
    return message === undefined ? [] : [{ code: "invalid-value", path: `[${index}]`, message }];
  });
  if (issues.length > 0) return { kind: "invalid", issues };
  return { kind: "ok", value: found.filter((pool) => pool !== undefined) };
}

function isAsked({ metadata, spec }: IPPool, asked: AskedPool): boolean {
  return asked.kind === "name" ? metadata.name === asked.name : spec.cidr === asked.cidr;
}

function refusal(pool: IPPool | undefined, asked: AskedPool, family: Family): string | undefined {
  if (pool === undefined)
    return asked.kind === "name"
      ? `there is no IPPool "${asked.name}"`
      : `no IPPool has the prefix "${asked.cidr}"`;
  const { metadata, spec } = pool;
  const what = `IPPool "${metadata.name}"`;
  if (cidrFamily(spec.cidr) !== family) return `${what} ("${spec.cidr}") is not of IPv${family}`;
  if (spec.disabled) return `${what} is disabled`;
  if (!spec.allowedUses.includes("Workload"))
    return `${what} is for ${spec.allowedUses.join(" and ") || "nothing"}: "Workload" is not among its allowedUses`;
  return undefined;
}
