// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PoolWish } from "../cni/collaborators.ts";
import { CNI_ERRORS, CniError } from "../cni/error.ts";
import { parseAskedPool } from "../model/asked-pools.ts";
import { judgePools } from "../model/pools.ts";
import { parseResource, unwrap } from "../model/resource.ts";
import type { Family } from "../net/ip.ts";
import { askedPools } from "./asked-pools.ts";

const pools = [
  ["wide", { cidr: "10.1.0.0/16" }] as const,
  ["within", { cidr: "10.1.1.0/24" }] as const,
  ["beside", { cidr: "10.2.0.0/16" }] as const,
  ["six", { cidr: "fd10::/64" }] as const,
].map(([name, spec]) =>
  unwrap(
    parseResource("IPPool", { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec }),
    name,
  ),
);
const judged = judgePools(pools, []);
const review = { issuesOf: (pool: (typeof pools)[number]) => judged.get(pool.metadata.name) ?? [] };

function ask(wish: PoolWish, family: Family = 4): readonly string[] {
  return askedPools({ pools }, review, family, wish).map(({ metadata }) => metadata.name);
}

test("the pools that a network asks for are found", () => {
  assert.deepEqual(ask({}), []);
  assert.deepEqual(ask({ ipv4Pools: ["beside", "wide"].map(parseAskedPool) }), ["beside", "wide"]);
  const both = { ipv4Pools: [parseAskedPool("wide")], ipv6Pools: [parseAskedPool("fd10::/64")] };
  assert.deepEqual([ask(both), ask(both, 6)], [["wide"], ["six"]]);
});

test("one that cannot be used fails the whole, with every reason", () => {
  const refuses = (wish: PoolWish, message: RegExp): void => {
    assert.throws(
      () => ask(wish),
      (error) =>
        error instanceof CniError && error.code === CNI_ERRORS.invalidConfig && message.test(error.message),
    );
  };
  refuses(
    { ipv4Pools: ["wide", "x"].map(parseAskedPool), ipv6Pools: ["wide", "fd00::/64"].map(parseAskedPool) },
    /ipam\.ipv4_pools\[1\]: there is no IPPool "x"; ipam\.ipv6_pools\[0\]: .*not of IPv6; ipam\.ipv6_pools\[1\]: no IPPool has/,
  );
  refuses({ ipv4Pools: ["beside", "within"].map(parseAskedPool) }, /"within".* overlaps pool "wide"/);
});
