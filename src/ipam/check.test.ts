// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { makeNode, makePool, makeRequest } from "./allocator-fixtures.ts";
import { checkIpam, describeFinding, findingsOfBoth } from "./check.ts";
import { readInventory } from "./inventory.ts";
import { releaseSeenAddresses } from "./release.ts";
import { affinityKey, blockKey, handleKey, resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { type Cidr, hostCidr } from "../net/cidr.ts";
import { type Ip, parseIp } from "../net/ip.ts";

const HOST1 = parseNodeName("host1");
const POOL = makePool("pool", "10.1.0.0/16", 26);

interface Taken {
  readonly ip: Ip;
  readonly block: Cidr;
}

/** A store with one pool, and an address that its container uses. */
async function createCluster(): Promise<
  AsyncDisposable & { store: Store; used: Taken; take: (id: string) => Promise<Taken> }
> {
  const store = openEmbeddedStore({ path: ":memory:" });
  const allocator = makeNode(store, HOST1);
  await store.put(resourceKey("IPPool", "pool"), JSON.stringify(POOL));
  const take = async (id: string): Promise<Taken> => {
    const attributes = { node: HOST1, network: "net", containerID: id, interface: "eth0" };
    const result = await allocator.assign(makeRequest(id, [POOL], { attributes }));
    assert.ok(result.kind === "assigned");
    return { ip: result.address, block: result.block };
  };
  const used = await take("used");
  await recordEndpoint(store, "used", used.ip);
  return { store, used, take, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

async function recordEndpoint(store: Store, id: string, ip: Ip): Promise<void> {
  const identity = { orchestrator: "cni", workload: id, node: HOST1, containerID: id, endpoint: "eth0" };
  const metadata = { name: `host1-cni-${id}-eth0`, namespace: "default" };
  const spec = {
    ...identity,
    ipNetworks: [hostCidr(ip)],
    interfaceName: "cali0123456789a",
    mac: "02:00:00:00:00:01",
  };
  const endpoint = { apiVersion: "projectcalico.org/v3", kind: "WorkloadEndpoint", metadata, spec };
  await store.put(resourceKey("WorkloadEndpoint", metadata.name, "default"), JSON.stringify(endpoint));
}

async function findings(store: Store): Promise<readonly string[]> {
  return checkIpam(await readInventory(store)).map(describeFinding);
}

describe("a check of addresses", () => {
  it("finds nothing where all is well", async () => {
    await using cluster = await createCluster();
    assert.deepEqual(await findings(cluster.store), []);
  });

  it("finds an address that nobody uses, which can be released as it was seen", async () => {
    await using cluster = await createCluster();
    const { store } = cluster;
    const { ip } = await cluster.take("gone");
    assert.deepEqual(await findings(store), [
      `${ip} is allocated and not in use (handle "net.gone", node "host1")`,
    ]);
    const [leak] = checkIpam(await readInventory(store));
    assert.ok(leak?.kind === "leaked");
    assert.deepEqual(await releaseSeenAddresses(store, [leak]), [ip]);
    assert.deepEqual(await findings(store), []);
    assert.deepEqual(await releaseSeenAddresses(store, [leak]), [], "it is gone already");
  });

  it("has an address that was given out anew stay, though it was a leak before", async () => {
    await using cluster = await createCluster();
    const { store } = cluster;
    const { ip } = await cluster.take("gone");
    const [leak] = checkIpam(await readInventory(store));
    assert.ok(leak?.kind === "leaked");
    assert.deepEqual(await releaseSeenAddresses(store, [leak]), [ip]);
    // The line for reuse is 63 addresses long.
    let again: Ip | undefined;
    for (let count = 0; again !== ip; count++) ({ ip: again } = await cluster.take(`next${count}`));
    assert.deepEqual(await releaseSeenAddresses(store, [leak]), []);
  });

  it("finds an address that is used, and not taken, or in no enabled pool", async () => {
    await using cluster = await createCluster();
    const { store } = cluster;
    await recordEndpoint(store, "thief", parseIp("10.9.0.1"));
    const by = 'WorkloadEndpoint "default/host1-cni-thief-eth0" has it';
    assert.deepEqual(await findings(store), [
      `10.9.0.1 is in use and not allocated: ${by}`,
      `10.9.0.1 is in use and in no enabled pool: ${by}`,
    ]);
  });

  it("finds an address that two have", async () => {
    await using cluster = await createCluster();
    const { store, used } = cluster;
    await recordEndpoint(store, "twin", used.ip);
    const names = ["host1-cni-twin-eth0", "host1-cni-used-eth0"];
    const owners = names.map((name) => `WorkloadEndpoint "default/${name}"`).join(", ");
    assert.deepEqual(await findings(store), [`${used.ip} has several owners: ${owners}`]);
  });

  it("finds handles that are gone, or say too much", async () => {
    await using cluster = await createCluster();
    const { store, used } = cluster;
    await store.put(handleKey("net.idle"), JSON.stringify({ block: { [used.block]: 2 } }));
    await store.delete(handleKey("net.used"));
    assert.deepEqual(await findings(store), [
      `handle "net.used" is not there, and has ${used.ip}`,
      `handle "net.idle" says that it has 2 addresses in ${used.block}, and has 0`,
    ]);
  });

  it("finds claims without a block, and blocks without a claim", async () => {
    await using cluster = await createCluster();
    const { store, used } = cluster;
    const other = parseNodeName("host2");
    await store.put(affinityKey(other, used.block), JSON.stringify({ state: "confirmed", deleted: false }));
    await store.delete(affinityKey(HOST1, used.block));
    assert.deepEqual(await findings(store), [
      `node "host2" claims block ${used.block}, which is not its own`,
      `block ${used.block} is of node "host1", which does not claim it`,
    ]);
  });

  it("names what cannot be read, and takes what is amiss twice only", async () => {
    await using cluster = await createCluster();
    const { store, used } = cluster;
    const before = checkIpam(await readInventory(store));
    await store.put(blockKey(used.block), "{");
    const after = checkIpam(await readInventory(store));
    assert.match(after.map(describeFinding).join("\n"), /block\/10\.1\..*" cannot be read/);
    assert.deepEqual(findingsOfBoth(before, after), []);
    assert.deepEqual(findingsOfBoth(after, after), after);
  });
});
