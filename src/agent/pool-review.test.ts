// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IPPool } from "../model/ip-pool.ts";
import { parseResource, unwrap } from "../model/resource.ts";
import { parseCidr } from "../net/cidr.ts";
import { createPoolReview } from "./pool-review.ts";

function pool(name: string, cidr: string): IPPool {
  const value = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec: { cidr } };
  return unwrap(parseResource("IPPool", value), name);
}

test("pools that overlap each other or a node's network are told once, and spoil no other", () => {
  const pools = [
    pool("good", "10.1.0.0/16"),
    pool("wide", "10.2.0.0/15"),
    pool("narrow", "10.3.0.0/24"),
    pool("underlay", "192.168.0.0/25"),
  ];
  const catalog = { pools, networks: new Map([[parseCidr("192.168.0.0/24"), "host1"]]), poolRevision: 1 };
  const review = createPoolReview(catalog);
  assert.deepEqual(
    review.issues().map(({ message }) => message),
    [
      'pool "underlay" ("192.168.0.0/25") overlaps the network of node "host1" ("192.168.0.0/24")',
      'pool "wide" ("10.2.0.0/15") overlaps pool "narrow" ("10.3.0.0/24")',
    ],
  );
  const counts = pools.map((each) => review.issuesOf(each).length);
  assert.deepEqual(counts, [0, 1, 0, 1]);
  Object.assign(catalog, { pools: pools.slice(0, 2), poolRevision: 2 });
  assert.deepEqual(review.issues(), []);
});
