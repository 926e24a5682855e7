// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assignIp, newBlock, releaseWhere } from "../ipam/block.ts";
import { renderBlock } from "../model/ipam-block.ts";
import { affinityKey, blockKey, resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { silentLog } from "../system/log.ts";
import { Catalog } from "./catalog.ts";

const HOST1 = parseNodeName("host1");
const BLOCK = parseCidr("10.1.2.0/30");

function createCatalog(): Catalog {
  return new Catalog(silentLog, HOST1);
}

function resource(kind: string, name: string, spec: object, metadata: object = {}): string {
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name, ...metadata }, spec });
}

describe("a catalog", () => {
  it("reads a node's address, network and route source", () => {
    const annotations = { "margay/route-source": "bird" };
    const text = resource("Node", "host2", { bgp: { ipv4Address: "192.168.0.102/24" } }, { annotations });
    const [fact] = createCatalog().learn(resourceKey("Node", "host2"), text);
    const value = {
      address: "192.168.0.102",
      subnet: "192.168.0.0/24",
      asNumber: undefined,
      routeSource: "bird",
      vxlan: undefined,
      vxlan6: undefined,
      ipip: undefined,
      wireguard: undefined,
      labels: undefined,
      routeReflectorClusterId: undefined,
      ipv6: undefined,
    };
    assert.deepEqual(fact, { kind: "node", name: "host2", value });
  });

  it("knows the networks that nodes are on, and each time that something of pools may have changed", () => {
    const catalog = createCatalog();
    const learn = (name: string, ipv4Address: string): number => {
      catalog.learn(resourceKey("Node", name), resource("Node", name, { bgp: { ipv4Address } }));
      return catalog.poolRevision;
    };
    const revisions = [learn("host2", "192.168.0.102/24"), learn("host1", "192.168.0.101/24")];
    revisions.push(learn("host1", "192.168.0.111/24"), learn("host3", "192.168.1.103/24"));
    assert.deepEqual(revisions, [1, 2, 2, 3]);
    assert.deepEqual(
      catalog.networks,
      new Map([
        ["192.168.0.0/24", "host1"],
        ["192.168.1.0/24", "host3"],
      ]),
    );
    catalog.learn(resourceKey("Node", "host3"), undefined);
    assert.deepEqual([...catalog.networks.values()], ["host1"]);
    catalog.learn(resourceKey("IPPool", "bad"), "{}");
    assert.deepEqual([...catalog.unreadablePools.keys()], ["bad"]);
    catalog.learn(resourceKey("IPPool", "bad"), undefined);
    assert.deepEqual([catalog.unreadablePools.size, catalog.poolRevision], [0, 6]);
  });

  it("takes a node that says nothing of its routes for one that needs nobody's", () => {
    const text = resource("Node", "host2", { bgp: { ipv4Address: "192.168.0.102/24" } });
    const [fact] = createCatalog().learn(resourceKey("Node", "host2"), text);
    assert.equal(fact?.kind === "node" && fact.value?.routeSource, "datastore");
  });

  it("finds addresses that are used away from their block's node", () => {
    const text = JSON.stringify({
      cidr: BLOCK,
      affinity: "host:host2",
      allocations: [0, null, 1, null],
      unallocated: [1, 3],
      attributes: [
        { handle_id: "net.a", secondary: { node: "host2" } },
        { handle_id: "net.b", secondary: { node: "host1" } },
      ],
    });
    const [fact] = createCatalog().learn(blockKey(BLOCK), text);
    const value = { cidr: BLOCK, node: "host2", strays: [{ ip: "10.1.2.2", node: "host1" }] };
    assert.deepEqual(fact, { kind: "block", cidr: BLOCK, value });
  });

  it("counts a claim only once it is confirmed", () => {
    const catalog = createCatalog();
    const learn = (state: string) => {
      const [fact] = catalog.learn(affinityKey(HOST1, BLOCK), JSON.stringify({ state }));
      return fact?.kind === "affinity" && fact.value;
    };
    assert.deepEqual(["pending", "confirmed", "pendingDeletion"].map(learn), [false, true, false]);
  });

  it("keeps the last good value of what cannot be read any more, and says so until it can", () => {
    const catalog = createCatalog();
    const key = resourceKey("FelixConfiguration", "default");
    const good = resource("FelixConfiguration", "default", { programClusterRoutes: "Enabled" });
    assert.equal(catalog.learn(key, good).length, 1);
    for (const bad of [
      "{",
      "null",
      resource("FelixConfiguration", "default", { programClusterRoutes: "Perhaps" }),
    ]) {
      assert.deepEqual(catalog.learn(key, bad), []);
      assert.match(catalog.unreadable[0] ?? "", /felixconfigurations\/default/);
    }
    catalog.learn(key, good);
    assert.deepEqual(catalog.unreadable, []);
  });

  it("goes by a value with a field that it does not know, and says so until it is gone", () => {
    const catalog = createCatalog();
    const key = resourceKey("IPPool", "default");
    catalog.learn(key, resource("IPPool", "default", { cidr: "10.1.0.0/16", vxlanmode: "Always" }));
    assert.equal(catalog.pools.length, 1);
    assert.deepEqual(catalog.unreadable, []);
    const words = `datastore: under "${key}", spec.vxlanmode: there is no field "vxlanmode"`;
    assert.deepEqual(catalog.ignored, [words]);
    catalog.learn(key, undefined);
    assert.deepEqual(catalog.ignored, []);
  });

  it("knows how much of each block is in use, what cools down apart", () => {
    const catalog = createCatalog();
    const holder = { handleId: "net.c1", attributes: {} };
    const empty = newBlock(BLOCK, { node: HOST1, nowMs: 0 });
    const [first, second] = [parseIpv4("10.1.2.0"), parseIpv4("10.1.2.1")];
    const taken = assignIp(assignIp(empty, first, holder) ?? empty, second, holder) ?? empty;
    const cooling = releaseWhere(taken, ({ ip }) => ip === second, 1000).block;
    catalog.learn(blockKey(BLOCK), renderBlock(cooling));
    assert.deepEqual([...catalog.blocks], [{ cidr: BLOCK, node: HOST1, total: 4, inUse: 1, free: 2 }]);
    catalog.learn(blockKey(BLOCK), undefined);
    assert.deepEqual([...catalog.blocks], []);
  });

  it("has each setting by the node's own FelixConfiguration, or else by the one for all, and none by another node's", () => {
    const catalog = createCatalog();
    const learn = (name: string, spec?: object): unknown => {
      const text = spec && resource("FelixConfiguration", name, spec);
      const [fact] = catalog.learn(resourceKey("FelixConfiguration", name), text);
      return fact?.kind === "settings" && [fact.value.tunnelMtus.vxlan, fact.value.vxlanPort];
    };
    assert.deepEqual(learn("node.host1", { vxlanMTU: 1400 }), [1400, 4789]);
    assert.deepEqual(learn("default", { vxlanMTU: 1300, vxlanPort: 4790 }), [1400, 4790]);
    assert.equal(learn("node.host2", { vxlanMTU: 1200 }), false);
    assert.deepEqual(learn("node.host1", {}), [1300, 4790]);
    assert.deepEqual(learn("node.host1", { vxlanPort: 4789 }), [1300, 4789]);
    assert.deepEqual(learn("default"), [0, 4789]);
    assert.deepEqual(learn("node.host1"), [0, 4789]);
  });

  it("forgets what is gone", () => {
    const catalog = createCatalog();
    const key = resourceKey("IPPool", "default");
    catalog.learn(key, resource("IPPool", "default", { cidr: "10.1.0.0/16" }));
    assert.equal(catalog.pools.length, 1);
    assert.deepEqual(catalog.learn(key, undefined), [{ kind: "pool", name: "default", value: undefined }]);
    assert.deepEqual(catalog.pools, []);
  });

  it("makes nothing of keys that it does not know", () => {
    assert.deepEqual(createCatalog().learn("/calico/else/where", "{}"), []);
  });
});
