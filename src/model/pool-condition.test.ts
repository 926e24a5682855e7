// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IPPool } from "./ip-pool.ts";
import { invalidPoolCondition, isMarkedAllocatable, poolCondition } from "./pool-condition.ts";
import { parseResource, unwrap } from "./resource.ts";

function makePool(spec: object, conditions: readonly object[] = []): IPPool {
  const head = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name: "a" } };
  const value = { ...head, spec: { cidr: "10.1.0.0/16", ...spec }, status: { conditions } };
  return unwrap(parseResource("IPPool", value), "a");
}

test("a pool's condition says whether addresses are given out from it, and why not", () => {
  const overlap = { code: "conflict", path: "spec.cidr", message: "it overlaps" } as const;
  const conditions = [
    poolCondition(makePool({}), []),
    poolCondition(makePool({ disabled: true }), [overlap]),
    poolCondition(makePool({}), [overlap]),
    invalidPoolCondition("spec.cidr: it is required"),
  ];
  assert.deepEqual(
    conditions.map(({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`),
    [
      "Allocatable True OK: addresses are given out from the pool",
      "Allocatable False PoolDisabled: spec.disabled is true",
      "Allocatable False CIDROverlap: spec.cidr: it overlaps",
      "Allocatable False Invalid: spec.cidr: it is required",
    ],
  );
});

test("a pool serves already where its condition says so", () => {
  const marked = (status: string): boolean =>
    isMarkedAllocatable(
      makePool({}, [
        { type: "Other", status: "True" },
        { type: "Allocatable", status },
      ]),
    );
  assert.deepEqual([marked("True"), marked("False"), marked("Unknown")], [true, false, false]);
  assert.equal(isMarkedAllocatable(makePool({})), false);
});
