// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import type { IPPool } from "./ip-pool.ts";
import { overlapIssues, poolOf, poolsForNode, poolsOfFamily } from "./pools.ts";
import { parseResource, unwrap } from "./resource.ts";

function makePool(name: string, spec: object): IPPool {
  const value = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec };
  return unwrap(parseResource("IPPool", value), name);
}

function namesOf(pools: readonly IPPool[]): readonly string[] {
  return pools.map(({ metadata }) => metadata.name);
}

test("pools that share addresses are told, each pair once", () => {
  const pools = [
    makePool("a", { cidr: "10.1.0.0/16" }),
    makePool("b", { cidr: "10.1.128.0/17" }),
    makePool("c", { cidr: "10.2.0.0/16" }),
    makePool("d", { cidr: "fd00::/64" }),
  ];
  assert.deepEqual(overlapIssues(pools, []), [
    {
      code: "conflict",
      path: "spec.cidr",
      message: 'pool "b" ("10.1.128.0/17") overlaps pool "a" ("10.1.0.0/16")',
    },
  ]);
});

test("a pool that holds the underlay, or lies in it, is told", () => {
  const underlay = { name: 'network of node "host1"', cidr: parseCidr("192.168.0.0/24") };
  const pools = [
    makePool("around", { cidr: "192.168.0.0/16" }),
    makePool("inside", { cidr: "192.168.0.128/26" }),
    makePool("beside", { cidr: "192.169.0.0/16" }),
  ];
  const messages = overlapIssues(pools, [underlay]).map(({ message }) => message);
  assert.deepEqual(
    messages.filter((message) => message.includes("network of node")),
    [
      'pool "around" ("192.168.0.0/16") overlaps network of node "host1" ("192.168.0.0/24")',
      'pool "inside" ("192.168.0.128/26") overlaps network of node "host1" ("192.168.0.0/24")',
    ],
  );
});

test("a node uses the enabled, automatic workload pools that select it, by name", () => {
  const pools = [
    makePool("z", { cidr: "10.1.0.0/16" }),
    makePool("a", { cidr: "10.2.0.0/16", nodeSelector: 'rack == "1"' }),
    makePool("other-rack", { cidr: "10.3.0.0/16", nodeSelector: 'rack == "2"' }),
    makePool("disabled", { cidr: "10.4.0.0/16", disabled: true }),
    makePool("manual", { cidr: "10.5.0.0/16", assignmentMode: "Manual" }),
    makePool("tunnels", { cidr: "10.6.0.0/16", allowedUses: ["Tunnel"] }),
  ];
  assert.deepEqual(namesOf(poolsForNode(pools, { labels: { rack: "1" } })), ["a", "z"]);
  assert.deepEqual(namesOf(poolsForNode(pools, { labels: {} })), ["z"]);
});

test("pools are found by family and by address", () => {
  const pools = [makePool("four", { cidr: "10.1.0.0/16" }), makePool("six", { cidr: "fd00::/64" })];
  assert.deepEqual(namesOf(poolsOfFamily(pools, 6)), ["six"]);
  assert.equal(poolOf(pools, parseIp("10.1.255.255"))?.metadata.name, "four");
  assert.equal(poolOf(pools, parseIp("fd00::1"))?.metadata.name, "six");
  assert.equal(poolOf(pools, parseIp("10.2.0.0")), undefined);
});
