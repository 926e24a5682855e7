// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { makeNode, makePool, makeRequest } from "../ipam/allocator-fixtures.ts";
import { checkIpam } from "../ipam/check.ts";
import { readInventory } from "../ipam/inventory.ts";
import { resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { addressAt, cidrOf, hostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { createLeakCollector } from "./leak-collector.ts";

const POOL = makePool("pool", "10.1.0.0/24", 26);
const SELF = parseNodeName("host1");
/** Looked at every 100 s. */
const GRACE_MS = 300_000;

/** Gives a container an address, as an ADD does before it is cut off. */
async function take(store: Store, id: string, node = "host1", ifName = "eth0"): Promise<Ip> {
  const attributes = { node, network: "net", containerID: id, interface: ifName };
  const result = await makeNode(store, node).assign(makeRequest(id, [POOL], { attributes }));
  return result.kind === "assigned" ? result.address : assert.fail(result.message);
}

async function record(store: Store, id: string, ip: Ip): Promise<void> {
  const identity = { orchestrator: "cni", workload: id, node: SELF, containerID: id, endpoint: "eth0" };
  const metadata = { name: `${SELF}-cni-${id}-eth0`, namespace: "default" };
  const spec = { ...identity, ipNetworks: [hostCidr(ip)], interfaceName: "cali0123456789a" };
  const endpoint = { apiVersion: "projectcalico.org/v3", kind: "WorkloadEndpoint", metadata, spec };
  await store.put(resourceKey("WorkloadEndpoint", metadata.name, "default"), JSON.stringify(endpoint));
}

async function createTrial(store: Store) {
  await store.put(resourceKey("IPPool", "pool"), JSON.stringify(POOL));
  const clock = createFakeClock();
  let given = 0;
  const collector = createLeakCollector(
    { store, clock, log: silentLog },
    {
      node: () => ({ name: SELF, borrowedFrom: [] }),
      graceMs: GRACE_MS,
      onAddresses: () => {
        given++;
      },
    },
  );
  collector.start();
  return {
    collector,
    given: () => given,
    /** Lets time pass, and gives the addresses that are held then. */
    async heldAfter(seconds: number): Promise<readonly Ip[]> {
      for (let passed = 0; passed < seconds; passed += 100) {
        clock.advance(100_000);
        for (let turn = 0; turn < 40; turn++) await new Promise(setImmediate);
      }
      const { blocks } = await readInventory(store);
      return [...blocks.values()].flatMap((block) =>
        block.allocations.flatMap((index, place) => (index === null ? [] : [addressAt(block.cidr, place)])),
      );
    },
  };
}

describe("addresses that a living node has lost sight of", () => {
  it("come back when they were nobody's for long enough", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = await createTrial(store);
    await using collector = trial.collector;
    const used = await take(store, "used");
    await record(store, "used", used);
    const leaked = await take(store, "leaked");
    assert.deepEqual((await trial.heldAfter(300)).toSorted(), [used, leaked].sort());
    assert.deepEqual(await trial.heldAfter(100), [used]);
    assert.deepEqual(checkIpam(await readInventory(store)), []);
    assert.equal(trial.given(), 1);
    assert.ok(collector);
  });

  it("stay where a record comes in time, and where the address was given to another meanwhile", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = await createTrial(store);
    await using collector = trial.collector;
    const late = await take(store, "late");
    const first = await take(store, "first");
    await trial.heldAfter(300);
    await record(store, "late", late);
    const owner = makeNode(store, "host1");
    await owner.releaseByHandle("net.first");
    const again = await owner.assign(makeRequest("second", [POOL], { ip: first }));
    assert.equal(again.kind, "assigned");
    assert.deepEqual((await trial.heldAfter(100)).toSorted(), [late, first].sort());
    assert.ok(collector);
  });

  it("stay where another address of the same handle is in use", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = await createTrial(store);
    await using collector = trial.collector;
    const used = await take(store, "twice");
    await record(store, "twice", used);
    const other = await take(store, "twice", "host1", "eth1");
    assert.deepEqual((await trial.heldAfter(1000)).toSorted(), [used, other].sort());
    assert.ok(collector);
  });

  it("of other nodes, and tunnels' own, are none of its business", async () => {
    await using store = openEmbeddedStore({ path: ":memory:" });
    const trial = await createTrial(store);
    await using collector = trial.collector;
    const foreign = await take(store, "foreign", "host2");
    const attributes = { node: "host1", type: "ipipTunnelAddress" };
    const tunnel = await makeNode(store, "host1").assign(makeRequest("tunnel", [POOL], { attributes }));
    assert.ok(tunnel.kind === "assigned");
    assert.notEqual(cidrOf(foreign, 26), tunnel.block);
    assert.equal((await trial.heldAfter(1000)).length, 2);
    assert.ok(collector);
  });
});
