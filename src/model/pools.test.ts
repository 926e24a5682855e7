// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import type { IPPool } from "./ip-pool.ts";
import { judgePools, poolOf, poolsForNode, poolsOfFamily } from "./pools.ts";
import { parseResource, unwrap } from "./resource.ts";

function makePool(name: string, spec: object, metadata: object = {}, status: object = {}): IPPool {
  const value = {
    apiVersion: "projectcalico.org/v3",
    kind: "IPPool",
    metadata: { name, ...metadata },
    spec,
    status,
  };
  return unwrap(parseResource("IPPool", value), name);
}

function namesOf(pools: readonly IPPool[]): readonly string[] {
  return pools.map(({ metadata }) => metadata.name);
}

/** What is said of each pool that something speaks against. */
function judge(pools: readonly IPPool[], ...underlays: Parameters<typeof judgePools>[1]): object {
  const messages = Array.from(
    judgePools(pools, underlays),
    ([name, issues]) => [name, issues.map(({ message }) => message)] as const,
  );
  return Object.fromEntries(messages);
}

const WIDE = { cidr: "10.1.0.0/16" };
const NARROW = { cidr: "10.1.128.0/17" };
const NARROW_REFUSED = {
  narrow: ['pool "narrow" ("10.1.128.0/17") overlaps pool "wide" ("10.1.0.0/16")'],
};
const WIDE_REFUSED = { wide: ['pool "wide" ("10.1.0.0/16") overlaps pool "narrow" ("10.1.128.0/17")'] };

test("of pools that share addresses, the one with the better right keeps them", () => {
  const older = { creationTimestamp: "2026-01-01T00:00:00Z" };
  const younger = { creationTimestamp: "2026-01-02T00:00:00Z" };
  const serving = { conditions: [{ type: "Allocatable", status: "True" }] };
  const beside = [makePool("c", { cidr: "10.2.0.0/16" }), makePool("d", { cidr: "fd00::/64" })];
  for (const [narrow, wide, refused] of [
    [makePool("narrow", NARROW, younger), makePool("wide", WIDE, older), NARROW_REFUSED],
    [makePool("narrow", NARROW), makePool("wide", WIDE, younger), NARROW_REFUSED],
    [makePool("narrow", NARROW), makePool("wide", WIDE), WIDE_REFUSED],
    [makePool("narrow", NARROW, younger, serving), makePool("wide", WIDE, older), WIDE_REFUSED],
    [makePool("narrow", { ...NARROW, disabled: true }, older), makePool("wide", WIDE), {}],
  ] as const) {
    assert.deepEqual(judge([narrow, wide, ...beside]), refused);
    assert.deepEqual(judge([...beside, wide, narrow]), refused);
  }
});

test("a pool that does not serve is in nobody's way", () => {
  const pools = [
    makePool("a", { cidr: "10.0.0.0/9" }),
    makePool("b", { cidr: "10.0.0.0/8" }),
    makePool("c", { cidr: "10.128.0.0/9" }),
  ];
  assert.deepEqual(Object.keys(judge(pools)), ["b"]);
});

test("a pool that holds the underlay, or lies in it, is told", () => {
  const underlay = { name: 'network of node "host1"', cidr: parseCidr("192.168.0.0/24") };
  const pools = [
    makePool("around", { cidr: "192.168.0.0/16" }),
    makePool("inside", { cidr: "192.168.0.128/26" }),
    makePool("beside", { cidr: "192.169.0.0/16" }),
  ];
  assert.deepEqual(judge(pools, underlay), {
    around: ['pool "around" ("192.168.0.0/16") overlaps network of node "host1" ("192.168.0.0/24")'],
    inside: ['pool "inside" ("192.168.0.128/26") overlaps network of node "host1" ("192.168.0.0/24")'],
  });
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
  assert.deepEqual(namesOf(poolsForNode(pools, { labels: { rack: "1" } }, "default")), ["a", "z"]);
  assert.deepEqual(namesOf(poolsForNode(pools, { labels: {} }, "default")), ["z"]);
});

test("a pool serves the namespaces that it selects, on nodes that it selects too", () => {
  const pools = [
    makePool("all", { cidr: "10.1.0.0/16", namespaceSelector: "all()" }),
    makePool("calico", { cidr: "10.2.0.0/16", namespaceSelector: "projectcalico.org/name == 'blue'" }),
    makePool("kubernetes", {
      cidr: "10.3.0.0/16",
      namespaceSelector: "kubernetes.io/metadata.name in {'blue', 'red'}",
    }),
    makePool("labelled", { cidr: "10.4.0.0/16", namespaceSelector: "has(team)" }),
    makePool("not-blue", { cidr: "10.5.0.0/16", namespaceSelector: "projectcalico.org/name != 'blue'" }),
    makePool("rack", {
      cidr: "10.6.0.0/16",
      namespaceSelector: "projectcalico.org/name == 'blue'",
      nodeSelector: 'rack == "1"',
    }),
  ];
  const namesFor = (labels: Record<string, string>, namespace: string) =>
    namesOf(poolsForNode(pools, { labels }, namespace));
  assert.deepEqual(namesFor({ rack: "1" }, "blue"), ["all", "calico", "kubernetes", "rack"]);
  assert.deepEqual(namesFor({}, "blue"), ["all", "calico", "kubernetes"]);
  assert.deepEqual(namesFor({}, "red"), ["all", "kubernetes", "not-blue"]);
  assert.deepEqual(namesFor({ rack: "1", team: "x" }, "default"), ["all", "not-blue"]);
});

test("pools are found by family and by address", () => {
  const pools = [makePool("four", { cidr: "10.1.0.0/16" }), makePool("six", { cidr: "fd00::/64" })];
  assert.deepEqual(namesOf(poolsOfFamily(pools, 6)), ["six"]);
  assert.equal(poolOf(pools, parseIp("10.1.255.255"))?.metadata.name, "four");
  assert.equal(poolOf(pools, parseIp("fd00::1"))?.metadata.name, "six");
  assert.equal(poolOf(pools, parseIp("10.2.0.0")), undefined);
});
