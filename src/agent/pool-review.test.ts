// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IPPool } from "../model/ip-pool.ts";
import { parseNodeName } from "../model/name.ts";
import { parseResource, unwrap } from "../model/resource.ts";
import { createPoolReview } from "./pool-review.ts";

function pool(name: string, cidr: string): IPPool {
  const value = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec: { cidr } };
  return unwrap(parseResource("IPPool", value), name);
}

test("pools that overlap each other or the node's network are told once, and spoil no other", () => {
  const pools = [
    pool("good", "10.1.0.0/16"),
    pool("wide", "10.2.0.0/15"),
    pool("narrow", "10.3.0.0/24"),
    pool("underlay", "192.168.0.0/25"),
  ];
  const node = { nodeName: parseNodeName("host1"), address: "192.168.0.101/24" };
  const review = createPoolReview({ pools }, node);
  assert.deepEqual(
    review.issues().map(({ message }) => message),
    [
      'pool "narrow" ("10.3.0.0/24") overlaps pool "wide" ("10.2.0.0/15")',
      'pool "underlay" ("192.168.0.0/25") overlaps the network of node "host1" ("192.168.0.0/24")',
    ],
  );
  const counts = pools.map((each) => review.issuesOf(each).length);
  assert.deepEqual(counts, [0, 1, 1, 1]);
});
