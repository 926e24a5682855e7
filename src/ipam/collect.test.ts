// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { affinityPrefix, blockKey, resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { type Cidr, addressAt, cidrOf, hostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { makeNode, makePool, makeRequest } from "./allocator-fixtures.ts";
import { checkIpam } from "./check.ts";
import { type Collected, collectNode } from "./collect.ts";
import { addressesHeldBy } from "./held.ts";
import { readInventory } from "./inventory.ts";
import { breakingStore, countingStore } from "./store-fakes.ts";

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

/** Looks at what the node holds, and then collects it. */
async function collect(store: Store, borrowedFrom: readonly Cidr[] = []): Promise<Collected> {
  const node = { name: GONE, borrowedFrom };
  return collectNode(store, node, await addressesHeldBy(store, node, {}));
}

async function releasedBy(store: Store, borrowedFrom?: readonly Cidr[]): Promise<readonly Ip[]> {
  const collected = await collect(store, borrowedFrom);
  return collected.kind === "collected" ? collected.released : assert.fail(collected.kind);
}

describe("what a node held", () => {
  it("stays while its Node is there, whatever else is gone", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "a");
    const before = await store.list("/");
    assert.deepEqual(await collect(store), { kind: "alive" });
    assert.deepEqual(await store.list("/"), before);
  });

  it("comes back once its Node is gone: addresses, records, blocks; and nothing of another's", async () => {
    await using store = await createCluster();
    const kept = await attach(store, "host1", "kept");
    const gone = [await attach(store, GONE, "a"), await attach(store, GONE, "b")];
    await remove(store);
    const collected = await collect(store);
    assert.ok(collected.kind === "collected");
    assert.deepEqual([...collected.released].sort(), [...gone].sort());
    assert.equal(collected.endpoints.length, 2);
    assert.deepEqual((await store.list(affinityPrefix(GONE))).entries, []);
    const inventory = await readInventory(store);
    assert.deepEqual(checkIpam(inventory), []);
    assert.deepEqual(
      inventory.uses.map(({ ip }) => ip),
      [kept],
    );
    assert.deepEqual(await collect(store), { kind: "collected", released: [], endpoints: [] }, "once");
  });

  it("leaves an address that another node borrowed from it where it is, in a block that is nobody's", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "a");
    // Its one block is full, so that it has to borrow.
    for (let count = 0; count < 64; count++) await attach(store, "host1", `full${count}`, 1);
    const borrowed = await attach(store, "host1", "borrower", 1);
    await remove(store);
    assert.ok(!(await releasedBy(store)).includes(borrowed));
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
    assert.deepEqual(await releasedBy(store), []);
  });

  it("comes back out of blocks of others too, where it has borrowed", async () => {
    await using store = await createCluster();
    const own = await attach(store, "host1", "own");
    // It may have no block of its own.
    const attributes = { node: GONE, network: "net", containerID: "guest", interface: "eth0" };
    const limits = { strictAffinity: true, autoAllocateBlocks: false };
    const request = makeRequest("guest", [POOL], { attributes, ...limits });
    assert.equal((await makeNode(store, GONE).assign(request)).kind, "exhausted");
    const ip = addressAt(cidrOf(own, 26), 63);
    const asked = await makeNode(store, GONE).assign({ ...request, strictAffinity: false, ip });
    assert.ok(asked.kind === "assigned");
    await remove(store);
    assert.deepEqual(await releasedBy(store, [asked.block]), [asked.address]);
    assert.deepEqual(checkIpam(await readInventory(store)), []);
  });

  it("stays where somebody takes addresses for it meanwhile", async () => {
    await using store = await createCluster();
    await attach(store, GONE, "a");
    await remove(store);
    const node = { name: GONE, borrowedFrom: [] };
    const before = await addressesHeldBy(store, node, {});
    await attach(store, GONE, "b");
    const stored = await store.list("/");
    assert.deepEqual(await collectNode(store, node, before), { kind: "changed" });
    assert.deepEqual(await store.list("/"), stored);
  });

  it("is found by its own keys, however many others there are", async () => {
    await using store = await createCluster();
    for (let number = 0; number < 20; number++) await attach(store, "host1", `other${number}`);
    await attach(store, GONE, "a");
    await remove(store);
    const { store: counted, calls } = countingStore(store);
    assert.equal((await releasedBy(counted)).length, 1);
    assert.deepEqual([calls.list, calls.get], [5, 10]);
  });

  it("is taken back once, by however many do so at the same time", async () => {
    await using store = await createCluster();
    const gone = await Promise.all(["a", "b", "c"].map((id) => attach(store, GONE, id)));
    await remove(store);
    const all = await Promise.all(Array.from({ length: 5 }, () => releasedBy(store)));
    const released = all.flat();
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
        isCut = await collect(breakingStore(store, at, how)).then(
          () => false,
          () => true,
        );
        await collect(store);
        assert.deepEqual(checkIpam(await readInventory(store)), [], `${how} at ${at}`);
      }
      if (!isCut) break;
    }
  });
});
