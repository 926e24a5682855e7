// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { cidrOf, parseCidr } from "../net/cidr.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Revision, Store } from "../datastore/store.ts";
import { affinityKey, affinityPrefix, blockKey, handleKey, parseAffinityKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import type { Allocator } from "./allocator.ts";
import { addressOf, makeNode, makePool, makeRequest, messageOf } from "./allocator-fixtures.ts";
import { type Attributes, allocationsOf } from "./block.ts";
import { assertAffinitiesExact, assertBlocksSound, assertHandlesExact, readState } from "./invariants.ts";
import { countingStore } from "./store-fakes.ts";

/** Four blocks of four addresses. */
const POOL = makePool("small", "10.1.0.0/28", 30);
/** One block of four addresses. */
const TINY = makePool("tiny", "10.2.0.0/30", 30);

test("the first address comes from a block that the node claims and confirms", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const result = await makeNode(store, "host1").assign(makeRequest("c1", [POOL]));
  assert.ok(result.kind === "assigned");
  assert.equal(result.pool, "small");
  const affinity = await store.get(affinityKey(parseNodeName("host1"), result.block));
  assert.equal(affinity?.value, '{"deleted":false,"state":"confirmed"}');
  const handle = await store.get(handleKey("net.c1"));
  assert.equal(handle?.value, `{"deleted":false,"block":{"${result.block}":1}}`);
});

test("a node fills one block before it claims the next", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  for (let number = 1; number <= 5; number++) addressOf(await node.assign(makeRequest(`c${number}`, [POOL])));
  const state = await readState(store);
  const used = [...state.blocks.values()].map((block) => allocationsOf(block).length);
  assert.deepEqual(used.sort(), [1, 4]);
  assertAffinitiesExact(state);
});

test("once a node has a block, an assignment is two writes and no read", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const { store: counted, calls } = countingStore(store);
  const node = makeNode(counted, "host1");
  await node.assign(makeRequest("c1", [POOL]));
  Object.assign(calls, { get: 0, list: 0, write: 0 });
  addressOf(await node.assign(makeRequest("c2", [POOL])));
  assert.deepEqual(calls, { get: 0, list: 0, write: 2 });
});

test("assignments at the same time get different addresses and share writes of the block", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const { store: counted, calls } = countingStore(store);
  const node = makeNode(counted, "host1");
  const pool = makePool("large", "10.3.0.0/24", 26);
  const names = Array.from({ length: 64 }, (_, index) => `c${index}`);
  const results = await Promise.all(names.map((name) => node.assign(makeRequest(name, [pool]))));
  assert.equal(new Set(results.map(addressOf)).size, 64);
  const state = await readState(store);
  assert.equal(state.blocks.size, 1, "one block has room for all");
  assertHandlesExact(state);
  // 64 handles and 3 for the claim leave less than one write of the block for every other address.
  assert.ok(calls.write < 64 + 3 + 32, `${calls.write} writes`);
});

test("the address given back first is given out first, after those never used", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const first = addressOf(await node.assign(makeRequest("c1", [TINY])));
  const second = addressOf(await node.assign(makeRequest("c2", [TINY])));
  await node.releaseByHandle("net.c2");
  await node.releaseByHandle("net.c1");
  const later = [];
  for (const name of ["c3", "c4", "c5", "c6"])
    later.push(addressOf(await node.assign(makeRequest(name, [TINY]))));
  assert.deepEqual(later.slice(2), [second, first]);
});

test("a node without a block borrows, and the block stays with its owner", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const owner = makeNode(store, "host1");
  const borrower = makeNode(store, "host2");
  const own = addressOf(await owner.assign(makeRequest("c1", [TINY])));
  const borrowed = addressOf(await borrower.assign(makeRequest("c2", [TINY])));
  assert.notEqual(own, borrowed);
  const found = await owner.lookup(borrowed);
  assert.equal(found?.affinity, "host:host1");
  assert.equal(found.allocation?.handleId, "net.c2");
  assert.deepEqual(await borrower.releaseByHandle("net.c2"), { released: [borrowed] });
  assertAffinitiesExact(await readState(store));
});

test("the owner sees at once what a borrower took or gave back", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const owner = makeNode(store, "host1");
  const borrower = makeNode(store, "host2");
  await owner.assign(makeRequest("c1", [TINY]));
  for (const name of ["c2", "c3", "c4"]) addressOf(await borrower.assign(makeRequest(name, [TINY])));
  assert.equal((await owner.assign(makeRequest("c5", [TINY]))).kind, "exhausted");
  const { released } = await borrower.releaseByHandle("net.c3");
  assert.deepEqual([addressOf(await owner.assign(makeRequest("c5", [TINY])))], released);
});

test("with strict affinity a node does not borrow, and says which limit it met", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  await makeNode(store, "host1").assign(makeRequest("c1", [TINY]));
  const refused = await makeNode(store, "host2").assign(makeRequest("c2", [TINY], { strictAffinity: true }));
  assert.ok(refused.kind === "exhausted");
  assert.equal(refused.limit, "strictAffinity");
  assert.equal(
    refused.message,
    'Cannot assign an address of pool "tiny" on node "host2": only blocks of other nodes have free addresses, and strictAffinity is on',
  );
  assert.equal(await store.get(handleKey("net.c2")), undefined, "nothing is left behind");
});

test("a node at its block limit says so, although the pool has room", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const limits = { strictAffinity: true, maxBlocks: 1 };
  for (const name of ["c1", "c2", "c3", "c4"])
    addressOf(await node.assign(makeRequest(name, [POOL], limits)));
  const refused = await node.assign(makeRequest("c5", [POOL], limits));
  assert.ok(refused.kind === "exhausted");
  assert.equal(refused.limit, "maxBlocksPerHost");
  assert.match(refused.message, /pool "small" on node "host1".*maxBlocksPerHost/);
});

test("a limit of 0 stands for 20 blocks", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const pool = makePool("hosts", "10.4.0.0/27", 32);
  const limits = { strictAffinity: true, maxBlocks: 0 };
  for (let number = 1; number <= 20; number++)
    addressOf(await node.assign(makeRequest(`c${number}`, [pool], limits)));
  const refused = await node.assign(makeRequest("c21", [pool], limits));
  assert.ok(refused.kind === "exhausted");
  assert.equal(refused.limit, "maxBlocksPerHost");
});

test("a node that may not claim blocks by itself says so", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const limits = { strictAffinity: true, autoAllocateBlocks: false };
  const refused = await makeNode(store, "host1").assign(makeRequest("c1", [POOL], limits));
  assert.match(messageOf(refused), /pool "small" on node "host1".*autoAllocateBlocks/);
});

test("a pool without a free address is full, and gives one again after a release", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  for (const name of ["c1", "c2", "c3", "c4"]) addressOf(await node.assign(makeRequest(name, [TINY])));
  assert.match(
    messageOf(await node.assign(makeRequest("c5", [TINY]))),
    /pool "tiny".*every address is taken/,
  );
  const { released } = await node.releaseByHandle("net.c2");
  assert.deepEqual([addressOf(await node.assign(makeRequest("c5", [TINY])))], released);
});

test("the next pool serves when the first is full", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  for (const name of ["c1", "c2", "c3", "c4"]) await node.assign(makeRequest(name, [TINY, POOL]));
  const result = await node.assign(makeRequest("c5", [TINY, POOL]));
  assert.ok(result.kind === "assigned");
  assert.equal(result.pool, "small");
});

test("a request that no pool serves says for which family", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const refused = await makeNode(store, "host1").assign(makeRequest("c1", [POOL], { family: 6 }));
  assert.equal(messageOf(refused), 'Cannot assign an IPv6 address on node "host1": no pool is for it');
});

test("IPv6 addresses come from blocks of their own family", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const pool = makePool("six", "fd00:1::/64", 122);
  const result = await makeNode(store, "host1").assign(makeRequest("c1", [POOL, pool], { family: 6 }));
  assert.match(addressOf(result), /^fd00:1::/);
  assertHandlesExact(await readState(store, 6));
});

test("reserved addresses are skipped, unless one is asked for by name", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const reservations = [parseCidr("10.2.0.0/31")];
  const got = [];
  for (const name of ["c1", "c2"])
    got.push(addressOf(await node.assign(makeRequest(name, [TINY], { reservations }))));
  assert.deepEqual(got, ["10.2.0.2", "10.2.0.3"]);
  assert.match(
    messageOf(await node.assign(makeRequest("c3", [TINY], { reservations }))),
    /taken or reserved/,
  );
  const ip = parseIp("10.2.0.1");
  assert.equal(addressOf(await node.assign(makeRequest("c3", [TINY], { reservations, ip }))), ip);
});

test("a block that is wholly reserved is not claimed", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const reservations = [parseCidr("10.1.0.0/29"), parseCidr("10.1.0.8/30")];
  const result = await makeNode(store, "host1").assign(makeRequest("c1", [POOL], { reservations }));
  assert.ok(result.kind === "assigned");
  assert.equal(result.block, "10.1.0.12/30");
});

test("an address asked for is given, refused to the next with the holder's name, and refused outside the pools", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const ip = parseIp("10.1.0.9");
  assert.equal(addressOf(await node.assign(makeRequest("c1", [POOL], { ip }))), ip);
  const refused = await node.assign(makeRequest("c2", [POOL], { ip }));
  assert.ok(refused.kind === "taken");
  assert.equal(refused.by.attributes["containerID"], "c1");
  assert.equal(refused.message, 'Cannot assign "10.1.0.9": it is held by "net.c1"');
  const outside = await node.assign(makeRequest("c2", [POOL], { ip: parseIp("10.9.0.1") }));
  assert.equal(outside.kind, "outside");
  assertHandlesExact(await readState(store));
});

test("an address asked for in another node's block is borrowed, unless affinity is strict", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  await makeNode(store, "host1").assign(makeRequest("c1", [TINY]));
  const other = makeNode(store, "host2");
  const ip = parseIp("10.2.0.3");
  const strict = await other.assign(makeRequest("c2", [TINY], { ip, strictAffinity: true }));
  assert.match(messageOf(strict), /strictAffinity/);
  assert.equal(addressOf(await other.assign(makeRequest("c2", [TINY], { ip }))), ip);
});

test("an address asked for in a block older than the pool's block size is given from that block", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  for (const [index, blockSize] of [29, 31].entries()) {
    const cidr = `10.5.${index}.0/28`;
    const ip = parseIp(`10.5.${index}.1`);
    await node.assign(makeRequest("c1", [makePool("old", cidr, 30)], { ip }));
    const free = parseIp(`10.5.${index}.3`);
    const recut = [makePool("recut", cidr, blockSize)];
    const result = await node.assign(makeRequest("c2", recut, { ip: free }));
    assert.ok(result.kind === "assigned");
    assert.equal(result.block, `10.5.${index}.0/30`);
    assert.equal((await node.assign(makeRequest("c3", recut, { ip }))).kind, "taken");
    const strict = makeRequest("c3", recut, { ip: parseIp(`10.5.${index}.2`), strictAffinity: true });
    assert.match(messageOf(await makeNode(store, "host2").assign(strict)), /strictAffinity is on/);
  }
  assertHandlesExact(await readState(store));
  assertAffinitiesExact(await readState(store));
});

test("an address asked for whose block would overlap smaller ones is refused with the reason", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  addressOf(await node.assign(makeRequest("c1", [POOL], { ip: parseIp("10.1.0.1") })));
  const ip = parseIp("10.1.0.6");
  const recut = [makePool("recut", POOL.spec.cidr, 29)];
  const refused = await node.assign(makeRequest("c2", recut, { ip }));
  assert.ok(refused.kind === "exhausted");
  assert.equal(refused.limit, "blockSize");
  assert.match(refused.message, /pool "recut" on node "host1".*would overlap/);
  const state = await readState(store);
  assertHandlesExact(state);
  assertAffinitiesExact(state);
});

test("assigning again for one attachment gives its address again, another interface gets another", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const first = addressOf(await node.assign(makeRequest("c1", [POOL])));
  assert.equal(addressOf(await node.assign(makeRequest("c1", [POOL]))), first);
  assert.equal(addressOf(await makeNode(store, "host1").assign(makeRequest("c1", [POOL]))), first);
  const second = addressOf(await node.assign(makeRequest("c1", [POOL], {}, "eth1")));
  assert.notEqual(second, first);
  assertHandlesExact(await readState(store));
  assert.deepEqual(await node.releaseByHandle("net.c1", { attributes: { interface: "eth0" } }), {
    released: [first],
  });
  assertHandlesExact(await readState(store));
  assert.deepEqual(await node.releaseByHandle("net.c1"), { released: [second] });
  assert.equal(await store.get(handleKey("net.c1")), undefined);
});

test("attachments whose names add up to one handle keep their own addresses", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const one = { network: "a.b", containerID: "c", interface: "eth0" };
  const other = { network: "a", containerID: "b.c", interface: "eth0" };
  const assign = async (attributes: Attributes): Promise<Ip> =>
    addressOf(await node.assign(makeRequest("", [POOL], { handleId: "a.b.c", attributes })));
  const first = await assign(one);
  const second = await assign(other);
  assert.notEqual(second, first);
  assert.deepEqual([await assign(one), await assign(other)], [first, second]);
  assertHandlesExact(await readState(store));
  assert.deepEqual(await node.releaseByHandle("a.b.c", { attributes: other }), { released: [second] });
  assertHandlesExact(await readState(store));
  assert.equal(await assign(one), first);
});

test("releasing what is not held releases nothing", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  assert.deepEqual(await node.releaseByHandle("net.unknown"), { released: [] });
  await node.assign(makeRequest("c1", [POOL]));
  assert.equal((await node.releaseByHandle("net.c1")).released.length, 1);
  assert.deepEqual(await node.releaseByHandle("net.c1"), { released: [] });
});

test("of nodes that want the only block at once, one gets it and the others keep no claim", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const names = ["host1", "host2", "host3", "host4"];
  const results = await Promise.all(
    names.map((name) => makeNode(store, name).assign(makeRequest(name, [TINY], { strictAffinity: true }))),
  );
  assert.equal(results.filter(({ kind }) => kind === "assigned").length, 1);
  const state = await readState(store);
  assertAffinitiesExact(state);
  assertHandlesExact(state);
});

test("a pending claim of another node is in nobody's way, and is withdrawn by its node", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cidr = parseCidr("10.2.0.0/30");
  await store.put(affinityKey(parseNodeName("host2"), cidr), '{"state":"pending","deleted":false}');
  addressOf(await makeNode(store, "host1").assign(makeRequest("c1", [TINY], { strictAffinity: true })));
  const refused = await makeNode(store, "host2").assign(makeRequest("c2", [TINY], { strictAffinity: true }));
  assert.equal(refused.kind, "exhausted");
  assertAffinitiesExact(await readState(store));
});

test("a block that was taken from the node behind its back is noticed before an address is taken", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const cidr = parseCidr("10.2.0.0/30");
  await node.claimSpareBlock({ pools: [TINY], family: 4, strictAffinity: true, maxBlocks: 0 });
  await store.delete(blockKey(cidr));
  await store.delete(affinityKey(parseNodeName("host1"), cidr));
  addressOf(await makeNode(store, "host2").assign(makeRequest("c2", [TINY], { strictAffinity: true })));
  const refused = await node.assign(makeRequest("c1", [TINY], { strictAffinity: true }));
  assert.equal(refused.kind, "exhausted");
  assertAffinitiesExact(await readState(store));
});

test("a block claimed ahead of need is used without another claim", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const request = { pools: [POOL], family: 4, strictAffinity: false, maxBlocks: 0 } as const;
  const claimed = await node.claimSpareBlock(request);
  const result = await node.assign(makeRequest("c1", [POOL]));
  assert.ok(result.kind === "assigned" && claimed.kind === "claimed");
  assert.equal(result.block, claimed.block);
  assert.equal((await readState(store)).blocks.size, 1);
});

test("spare blocks are claimed until few are left for other nodes, whose first is no spare", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const request = { pools: [POOL], family: 4, strictAffinity: false, maxBlocks: 0 } as const;
  const node = makeNode(store, "host1");
  const fillBlock = async (on: Allocator, name: string): Promise<void> => {
    for (let n = 0; n < 4; n++) await on.assign(makeRequest(`${name}-${n}`, [POOL]));
  };
  const kinds = [];
  for (const name of ["c1", "c2", "c3"]) {
    kinds.push((await node.claimSpareBlock(request)).kind);
    await fillBlock(node, name);
  }
  kinds.push((await node.claimSpareBlock(request)).kind);
  assert.deepEqual(kinds, ["claimed", "claimed", "claimed", "scarce"]);
  const other = makeNode(store, "host2");
  assert.equal((await other.claimSpareBlock(request)).kind, "claimed");
  await fillBlock(other, "c4");
  const limited = { ...request, strictAffinity: true, maxBlocks: 1 };
  const refused = await other.claimSpareBlock(limited);
  assert.deepEqual(refused, { kind: "refused", limit: "maxBlocksPerHost" });
  assertAffinitiesExact(await readState(store));
});

test("a block that an assignment claims at the same moment is enough", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const request = { pools: [POOL], family: 4, strictAffinity: false, maxBlocks: 0 } as const;
  const [, spare] = await Promise.all([
    node.assign(makeRequest("c1", [POOL])),
    node.claimSpareBlock(request),
  ]);
  assert.equal(spare.kind, "enough");
  assert.equal((await readState(store)).blocks.size, 1);
});

test("a node knows what it has free, also when it has just started", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const ip = addressOf(await makeNode(store, "host1").assign(makeRequest("c1", [POOL])));
  const cidr = cidrOf(ip, 30);
  const restarted = makeNode(store, "host1");
  assert.deepEqual(await restarted.ownBlocks(4), [{ cidr, free: 3, isIdle: false }]);
  assert.deepEqual(await restarted.ownBlocks(4, { reservations: [cidr] }), [
    { cidr, free: 0, isIdle: false },
  ]);
  await restarted.releaseByHandle("net.c1");
  assert.deepEqual(await restarted.ownBlocks(4), [{ cidr, free: 4, isIdle: true }]);
});

test("empty blocks are given up, those in use and those that are not named are not", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  const hosts = makePool("hosts", "10.4.0.0/30", 32);
  for (const name of ["c1", "c2", "c3"]) addressOf(await node.assign(makeRequest(name, [hosts])));
  const kept = addressOf(await node.assign(makeRequest("c4", [hosts])));
  for (const name of ["c1", "c2", "c3"]) await node.releaseByHandle(`net.${name}`);
  const all = (await node.ownBlocks(4)).map(({ cidr }) => cidr);
  assert.equal((await node.releaseBlocks(all.filter((cidr) => cidr !== `${kept}/32`).slice(1))).length, 2);
  assertAffinitiesExact(await readState(store));
  assert.equal((await node.releaseBlocks(all)).length, 1);
  const state = await readState(store);
  assertAffinitiesExact(state);
  assert.deepEqual([...state.blocks.keys()], [`${kept}/32`]);
});

test("a node that knows nothing yet never says that a block in use is going", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const hosts = makePool("hosts", "10.4.0.0/29", 31);
  const before = makeNode(store, "host1");
  for (const name of ["c1", "c2", "c3", "c4"]) addressOf(await before.assign(makeRequest(name, [hosts])));
  const { revision, entries } = await store.list(affinityPrefix());
  assert.equal(entries.length, 2);
  const restarted = makeNode(store, "host1");
  assert.equal((await restarted.releaseByHandle("net.c4")).released.length, 1);
  const all = entries.flatMap(({ key }) => parseAffinityKey(key)?.cidr ?? []);
  assert.deepEqual(await restarted.releaseBlocks(all), []);
  const last = affinityKey(parseNodeName("host2"), parseCidr("10.4.0.6/31"));
  await store.put(last, '{"state":"pending","deleted":false}');
  assert.equal(await firstChange(store, affinityPrefix(), revision), last);
});

test("a block that looks empty is read before it is said to be going", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const owner = makeNode(store, "host1");
  await owner.claimSpareBlock({ pools: [TINY], family: 4, strictAffinity: false, maxBlocks: 0 });
  addressOf(await makeNode(store, "host2").assign(makeRequest("c1", [TINY])));
  const { revision } = await store.list(affinityPrefix());
  assert.deepEqual(await owner.releaseBlocks([parseCidr("10.2.0.0/30")]), []);
  const last = affinityKey(parseNodeName("host2"), parseCidr("10.2.0.0/30"));
  await store.put(last, '{"state":"pending","deleted":false}');
  assert.equal(await firstChange(store, affinityPrefix(), revision), last);
});

test("an address is looked up with its holder, free ones without, strange ones not at all", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const node = makeNode(store, "host1");
  await node.assign(makeRequest("c1", [TINY], { ip: parseIp("10.2.0.2") }));
  const held = await node.lookup(parseIp("10.2.0.2"));
  assert.equal(held?.allocation?.attributes["interface"], "eth0");
  const free = await node.lookup(parseIp("10.2.0.1"));
  assert.equal(free?.block, "10.2.0.0/30");
  assert.equal(free.allocation, undefined);
  assert.equal(await node.lookup(parseIp("10.9.0.1")), undefined);
});

test("the node's own address, or one of a known pool, is looked up with one read", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const { store: counted, calls } = countingStore(store);
  const owner = makeNode(counted, "host1");
  const ip = addressOf(await owner.assign(makeRequest("c1", [POOL])));
  Object.assign(calls, { get: 0, list: 0, write: 0 });
  assert.equal((await owner.lookup(ip))?.allocation?.handleId, "net.c1");
  assert.deepEqual(calls, { get: 1, list: 0, write: 0 });
  const found = await makeNode(counted, "host2").lookup(ip, { pools: [TINY, POOL] });
  assert.equal(found?.allocation?.handleId, "net.c1");
  assert.deepEqual(calls, { get: 2, list: 0, write: 0 });
});

test("an address is found in a block older than the pool's block size", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const ip = addressOf(await makeNode(store, "host1").assign(makeRequest("c1", [POOL])));
  for (const blockSize of [29, 31]) {
    const pools = [makePool("recut", POOL.spec.cidr, blockSize)];
    const found = await makeNode(store, "host2").lookup(ip, { pools });
    assert.equal(found?.block, cidrOf(ip, 30));
    assert.equal(found.allocation?.handleId, "net.c1");
  }
});

test("a block that cannot be read is left alone, and others serve", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  await store.put(blockKey(parseCidr("10.1.0.0/30")), '{"cidr":"10.1.0.0/30","allocations":[0]}');
  const node = makeNode(store, "host1");
  const got = [];
  for (let number = 1; number <= 12; number++)
    got.push(addressOf(await node.assign(makeRequest(`c${number}`, [POOL]))));
  assert.ok(got.every((ip) => !/^10\.1\.0\.[0-3]$/.test(ip)));
  assert.equal((await node.assign(makeRequest("c13", [POOL]))).kind, "exhausted");
});

test("fields that only Calico knows survive every write", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const cidr = parseCidr("10.2.0.0/30");
  const written = {
    cidr,
    affinity: "host:host1",
    allocations: [0, null, null, null],
    unallocated: [1, 2, 3],
    attributes: [{ handle_id: "net.old", secondary: { node: "host1" }, alternate: { pod: "p" } }],
    sequenceNumberForAllocation: { "0": 5 },
    deleted: false,
    strictAffinity: false,
    novel: { a: [1] },
  };
  const text = JSON.stringify(written).replace("{", '{"sequenceNumber":1767225600123456789,');
  await store.put(blockKey(cidr), text);
  await store.put(affinityKey(parseNodeName("host1"), cidr), '{"state":"confirmed","deleted":false}');
  addressOf(await makeNode(store, "host1").assign(makeRequest("c1", [TINY])));
  const value = (await store.get(blockKey(cidr)))?.value ?? "";
  assert.match(value, /"novel":\{"a":\[1\]\}/);
  assert.match(value, /"alternate":\{"pod":"p"\}/);
  assert.match(value, /"sequenceNumber":1767225600123456790,/);
  assertBlocksSound(await readState(store));
});

test("an aborted request is refused with the signal's reason", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const signal = AbortSignal.abort(new Error("the caller left"));
  await assert.rejects(
    makeNode(store, "host1").assign(makeRequest("c1", [POOL], { signal })),
    /the caller left/,
  );
  assert.equal((await readState(store)).blocks.size, 0);
});

/** The key under the prefix that was written first after the revision. */
async function firstChange(store: Store, prefix: string, after: Revision): Promise<string> {
  for await (const [change] of store.watch(prefix, { after, signal: AbortSignal.timeout(10_000) }))
    if (change !== undefined) return change.kind === "put" ? change.entry.key : change.key;
  return assert.fail(`nothing was written under "${prefix}"`);
}

test("a node that loses every block to others while it looks borrows from those, who have room", async () => {
  await using store = openEmbeddedStore({ path: ":memory:" });
  const pool = makePool("small", "10.1.0.0/28", 30);
  const nodes = Array.from({ length: 10 }, (_, index) => `host${index}`);
  // Four blocks for ten nodes, which all look at once, when there are none yet.
  const results = await Promise.all(
    nodes.map((name) => makeNode(store, name).assign(makeRequest(name, [pool], { strictAffinity: false }))),
  );
  assert.deepEqual(
    results.map(({ kind }) => kind),
    nodes.map(() => "assigned"),
  );
});
