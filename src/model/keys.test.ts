// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import {
  affinityKey,
  affinityPrefix,
  blockKey,
  blockPrefix,
  handleKey,
  parseAffinityKey,
  parseBlockKey,
  parseHandleKey,
  parseResourceKey,
  resourceKey,
  resourcePrefix,
} from "./keys.ts";
import { parseNodeName } from "./name.ts";
import type { Kind } from "./resource.ts";

const HOST = parseNodeName("host1");

test("resources stand where Calico keeps them", () => {
  const at = "/calico/resources/v3/projectcalico.org";
  assert.equal(resourceKey("Node", "host1"), `${at}/nodes/host1`);
  assert.equal(resourceKey("IPPool", "default-ipv4-ippool"), `${at}/ippools/default-ipv4-ippool`);
  assert.equal(resourceKey("BGPConfiguration", "default"), `${at}/bgpconfigurations/default`);
  assert.equal(
    resourceKey("WorkloadEndpoint", "host1-cni-0aF_9-eth0", "default"),
    `${at}/workloadendpoints/default/host1-cni-0aF_9-eth0`,
  );
  assert.equal(resourcePrefix("WorkloadEndpoint"), `${at}/workloadendpoints/`);
  assert.equal(resourcePrefix("WorkloadEndpoint", "default"), `${at}/workloadendpoints/default/`);
});

test("IPAM objects stand where Calico keeps them", () => {
  const at = "/calico/ipam/v2";
  const block = parseCidr("10.1.101.64/26");
  const block6 = parseCidr("fd00::40/122");
  assert.equal(blockKey(block), `${at}/assignment/ipv4/block/10.1.101.64-26`);
  assert.equal(blockKey(block6), `${at}/assignment/ipv6/block/fd00::40-122`);
  assert.equal(affinityKey(HOST, block), `${at}/host/host1/ipv4/block/10.1.101.64-26`);
  assert.equal(affinityKey(HOST, block6), `${at}/host/host1/ipv6/block/fd00::40-122`);
  assert.equal(handleKey("net.0af9"), `${at}/handle/net.0af9`);
  assert.ok(blockKey(block).startsWith(blockPrefix(4)));
  assert.ok(affinityKey(HOST, block).startsWith(affinityPrefix(HOST, 4)));
  assert.ok(affinityPrefix(HOST, 4).startsWith(affinityPrefix(HOST)));
  assert.ok(affinityPrefix(HOST).startsWith(affinityPrefix()));
});

test("keys are read back", () => {
  const id = { kind: "WorkloadEndpoint", name: "host1-cni-c1-eth0", namespace: "default" } as const;
  assert.deepEqual(parseResourceKey(resourceKey(id.kind, id.name, id.namespace)), id);
  assert.deepEqual(parseResourceKey(resourceKey("Node", "host1")), { kind: "Node", name: "host1" });
  for (const text of ["10.1.101.64/26", "10.1.0.1/32", "fd00::40/122", "::/116"]) {
    const cidr = parseCidr(text);
    assert.equal(parseBlockKey(blockKey(cidr)), cidr);
    assert.deepEqual(parseAffinityKey(affinityKey(HOST, cidr)), { node: HOST, cidr });
  }
  assert.equal(parseHandleKey(handleKey("net.0af9")), "net.0af9");
});

for (const name of [
  "",
  "a/b",
  "../x",
  "a//",
  "A",
  "a_b",
  "-a",
  "a-",
  ".a",
  "a..b",
  "a b",
  "a\n",
  "ä",
  "a".repeat(254),
]) {
  test(`no key can be made with the name ${JSON.stringify(name.slice(0, 10))}`, () => {
    for (const kind of ["Node", "IPPool"] as const satisfies readonly Kind[])
      assert.throws(() => resourceKey(kind, name), SyntaxError);
    assert.throws(() => resourcePrefix("WorkloadEndpoint", name), SyntaxError);
    assert.throws(() => parseNodeName(name), SyntaxError);
  });
}

for (const id of ["", "a/b", "/", "net.\n", "net. ", "../config", "ä", "a".repeat(254)]) {
  test(`no key can be made with the handle ${JSON.stringify(id.slice(0, 10))}`, () => {
    assert.throws(() => handleKey(id), SyntaxError);
    assert.throws(() => resourceKey("WorkloadEndpoint", id, "default"), SyntaxError);
  });
}

test("a namespace is given where there is one, and only there", () => {
  assert.throws(() => resourceKey("WorkloadEndpoint", "a"), /it needs a namespace/);
  assert.throws(() => resourceKey("Node", "a", "default"), /it belongs to the cluster/);
});

for (const key of [
  "",
  "/calico/resources/v3/projectcalico.org/nodes/",
  "/calico/resources/v3/projectcalico.org/nodes/a/b",
  "/calico/resources/v3/projectcalico.org/workloadendpoints/a",
  "/calico/resources/v3/projectcalico.org/workloadendpoints/A/a",
  "/calico/resources/v3/projectcalico.org/toString/a",
  "/calico/ipam/v2/assignment/ipv6/block/10.0.0.0-26",
  "/calico/ipam/v2/assignment/ipv4/block/10.0.0.1-26",
  "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0",
  "/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26/x",
  "/calico/ipam/v2/host/A/ipv4/block/10.0.0.0-26",
  "/calico/ipam/v2/host//ipv4/block/10.0.0.0-26",
  "/calico/ipam/v2/handle/",
  "/calico/ipam/v2/handle/a/b",
]) {
  test(`"${key}" is nobody's key`, () => {
    assert.equal(parseResourceKey(key), undefined);
    assert.equal(parseBlockKey(key), undefined);
    assert.equal(parseAffinityKey(key), undefined);
    assert.equal(parseHandleKey(key), undefined);
  });
}
