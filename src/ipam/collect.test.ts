// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { affinityPrefix, blockKey, resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { hostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { makeNode, makePool, makeRequest } from "./allocator-fixtures.ts";
import { checkIpam } from "./check.ts";
import { collectNode } from "./collect.ts";
import { readInventory } from "./inventory.ts";
import { breakingStore } from "./store-fakes.ts";

const POOL = makePool("pool", "10.1.0.0/24", 26);
const GONE = parseNodeName("host2");

async function putNode(store: Store, name: string): Promise<void> {
  const node = { apiVersion: "projectcalico.org/v3", kind: "Node", metadata: { name }, spec: {} };
  await store.put(resourceKey("Node", name), JSON.stringify(node));
}

/** Gives a container of the node an address, and records it. */
async function attach(store: Store, node: string, id: string, maxBlocks = 0): Promise<Ip> {
  const attributes = { node, network: "net", containerID: id, interface: "eth0" };
  const request = makeRequest(id, [POOL], { attributes, strictAffinity: false, maxBlocks });
  const result = await makeNode(store, node).assign(request);
  assert.ok(result.kind === "assigned", JSON.stringify(result));
  const identity = { orchestrator: "cni", workload: id, node, containerID: id, endpoint: "eth0" };
  const metadata = { name: `${node}-cni-${id}-eth0`, namespace: "default" };
  const spec = {
    ...identity,
    ipNetworks: [hostCidr(result.address)],
    interfaceName: "cali0123456789a",
    mac: "02:00:00:00:00:01",
  };
  const endpoint = { apiVersion: "projectcalico.org/v3", kind: "WorkloadEndpoint", metadata, spec };
  await store.put(resourceKey("WorkloadEndpoint", metadata.name, "default"), JSON.stringify(endpoint));
  return result.address;
}

async function createCluster(): Promise<Store> {
  const store = openEmbeddedStore({ path: ":memory:" });
  await store.put(resourceKey("IPPool", "pool"), JSON.stringify(POOL));
  for (const name of ["host1", GONE]) await putNode(store, name);
  return store;
}

async function remove(store: Store): Promise<void> {
  await store.delete(resourceKey("Node", GONE));
}

describe("what a node held", () => {
  it("stays while its Node is there, whatever else is gone", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "a");
    const before = await store.list("/");
    assert.deepEqual(await collectNode(store, GONE), { released: [], endpoints: [] });
    assert.deepEqual(await store.list("/"), before);
  });

  it("comes back once its Node is gone: addresses, records, blocks; and nothing of another's", async () => {
    await using store = await createCluster();
    const kept = await attach(store, "host1", "kept");
    const gone = [await attach(store, GONE, "a"), await attach(store, GONE, "b")];
    await remove(store);
    const { released, endpoints } = await collectNode(store, GONE);
    assert.deepEqual([...released].sort(), [...gone].sort());
    assert.equal(endpoints.length, 2);
    assert.deepEqual((await store.list(affinityPrefix(GONE))).entries, []);
    const inventory = await readInventory(store);
    assert.deepEqual(checkIpam(inventory), []);
    assert.deepEqual(
      inventory.uses.map(({ ip }) => ip),
      [kept],
    );
    assert.deepEqual(await collectNode(store, GONE), { released: [], endpoints: [] }, "once");
  });

  it("leaves an address that another node borrowed from it where it is, in a block that is nobody's", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "a");
    // Its one block is full, so that it has to borrow.
    for (let count = 0; count < 64; count++) await attach(store, "host1", `full${count}`, 1);
    const borrowed = await attach(store, "host1", "borrower", 1);
    await remove(store);
    const { released } = await collectNode(store, GONE);
    assert.ok(!released.includes(borrowed));
    const { blocks, uses } = await readInventory(store);
    assert.ok(uses.some(({ ip }) => ip === borrowed));
    const lender =
      [...blocks].find(([, { affinity }]) => affinity === null)?.[0] ?? assert.fail("no such block");
    assert.notEqual(await store.get(blockKey(lender)), undefined);
    assert.deepEqual(checkIpam(await readInventory(store)), []);
  });

  it("stays where a holder has an address elsewhere too", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "same");
    await attach(store, "host1", "same2");
    // One handle, two nodes: as an operator's own tool might have done.
    const attributes = { node: "host1", network: "net", containerID: "same", interface: "eth1" };
    const request = makeRequest("same", [POOL], { attributes });
    assert.equal((await makeNode(store, "host1").assign(request)).kind, "assigned");
    await remove(store);
    assert.deepEqual((await collectNode(store, GONE)).released, []);
  });

  it("is taken back once, by however many do so at the same time", async () => {
    await using store = await createCluster();
    const gone = await Promise.all(["a", "b", "c"].map((id) => attach(store, GONE, id)));
    await remove(store);
    const all = await Promise.all(Array.from({ length: 5 }, () => collectNode(store, GONE)));
    const released = all.flatMap((one) => one.released);
    assert.deepEqual(released.sort(), gone.sort());
    assert.deepEqual(checkIpam(await readInventory(store)), []);
  });

  it("comes back in the end wherever an attempt is cut off", async () => {
    for (let at = 0; ; at++) {
      let isCut = false;
      for (const how of ["lost", "unanswered"] as const) {
        await using store = await createCluster();
        await attach(store, GONE, "a");
        await attach(store, GONE, "b");
        await remove(store);
        isCut = await collectNode(breakingStore(store, at, how), GONE).then(
          () => false,
          () => true,
        );
        await collectNode(store, GONE);
        assert.deepEqual(checkIpam(await readInventory(store)), [], `${how} at ${at}`);
      }
      if (!isCut) break;
    }
  });
});
