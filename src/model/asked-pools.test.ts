// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { findAskedPools, parseAskedPool } from "./asked-pools.ts";
import type { IPPool } from "./ip-pool.ts";
import { parseResource, unwrap } from "./resource.ts";

function makePool(name: string, spec: object): IPPool {
  const value = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec };
  return unwrap(parseResource("IPPool", value), name);
}

const POOLS = [
  makePool("a", { cidr: "10.1.0.0/16" }),
  makePool("manual", { cidr: "10.2.0.0/16", assignmentMode: "Manual" }),
  makePool("elsewhere", { cidr: "10.3.0.0/16", nodeSelector: "!all()", namespaceSelector: "!all()" }),
  makePool("off", { cidr: "10.4.0.0/16", disabled: true }),
  makePool("tunnels", { cidr: "10.5.0.0/16", allowedUses: ["Tunnel"] }),
  makePool("six", { cidr: "fd00:0:0:1::/64" }),
];

/** Names of the pools, or what is wrong. */
function find(asked: readonly string[], family: 4 | 6 = 4): readonly string[] {
  const found = findAskedPools(POOLS, asked.map(parseAskedPool), family);
  if (found.kind === "ok") return found.value.map(({ metadata }) => metadata.name);
  return found.issues.map(({ path, message }) => `${path}: ${message}`);
}

test("pools are found by name and by prefix, in the order asked for, whatever they select", () => {
  assert.deepEqual(find(["manual", "10.1.0.0/16", "elsewhere"]), ["manual", "a", "elsewhere"]);
  assert.deepEqual(find(["fd00:0:0:1:0::/64"], 6), ["six"]);
  assert.deepEqual(find([]), []);
});

test("every pool that cannot be used is told, and why", () => {
  assert.deepEqual(find(["a", "b", "10.1.0.0/17", "off", "tunnels", "six"]), [
    '[1]: there is no IPPool "b"',
    '[2]: no IPPool has the prefix "10.1.0.0/17"',
    '[3]: IPPool "off" is disabled',
    '[4]: IPPool "tunnels" is for Tunnel: "Workload" is not among its allowedUses',
    '[5]: IPPool "six" ("fd00:0:0:1::/64") is not of IPv4',
  ]);
});

test("what is neither a name nor a prefix is refused", () => {
  for (const text of ["", "A", "a b", "10.1.0.1/16", "10.1.0.0/33", "a/b", "../a"])
    assert.throws(() => parseAskedPool(text), SyntaxError, text);
});
