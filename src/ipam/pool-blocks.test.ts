// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { openEmbeddedStore } from "../datastore/embedded.ts";
import type { Store } from "../datastore/store.ts";
import { renderAffinity } from "../model/ipam-affinity.ts";
import { renderBlock } from "../model/ipam-block.ts";
import { affinityPrefix, affinityKey, blockKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { type Cidr, cidrContains, parseCidr } from "../net/cidr.ts";
import { assignNext, newBlock } from "./block.ts";
import { addressesInUse, releaseEmptyBlocks } from "./pool-blocks.ts";

const POOL = parseCidr("10.1.0.0/24");
const [A, B] = ["a", "b"].map(parseNodeName) as [
  ReturnType<typeof parseNodeName>,
  ReturnType<typeof parseNodeName>,
];

describe("blocks of a pool", () => {
  let store: Store;
  beforeEach(() => {
    store = openEmbeddedStore({ path: ":memory:" });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
  });

  /** A block of a node, with addresses for holders of the types. */
  async function put(cidr: Cidr, node: typeof A, ...types: readonly string[]): Promise<void> {
    const empty = newBlock(cidr, { node, nowMs: 1 });
    const block = types.reduce(
      (have, type) => assignNext(have, { handleId: type, attributes: { type } })?.block ?? assert.fail(),
      empty,
    );
    await store.put(blockKey(cidr), renderBlock(block));
    await claim(cidr, node);
  }
  const claim = (cidr: Cidr, node: typeof A, state: "confirmed" | "pendingDeletion" = "confirmed") =>
    store.put(affinityKey(node, cidr), renderAffinity({ state, deleted: false }));
  const keys = async (): Promise<readonly string[]> => (await store.list("/")).entries.map(({ key }) => key);
  const isInPool = (cidr: Cidr): boolean => cidrContains(POOL, cidr);
  const ofPool = ({ cidr }: { readonly cidr: Cidr }): boolean => isInPool(cidr);

  const [first, second, outside] = ["10.1.0.0/26", "10.1.0.64/26", "10.2.0.0/26"].map(parseCidr) as [
    Cidr,
    Cidr,
    Cidr,
  ];

  it("tell which addresses somebody has, without tunnels and other pools", async () => {
    await put(first, A, "ipipTunnelAddress", "", "vxlanTunnelAddress");
    await put(second, B, "");
    await put(outside, B, "");
    assert.deepEqual(await addressesInUse(store, 4, isInPool, {}), ["10.1.0.1", "10.1.0.64"]);
  });

  it("are taken from their nodes where they are empty", async () => {
    await put(first, A);
    await put(second, B, "");
    await put(outside, A);
    await releaseEmptyBlocks(store, affinityPrefix(), ofPool, {});
    const left = [blockKey(second), affinityKey(B, second), blockKey(outside), affinityKey(A, outside)];
    assert.deepEqual(await keys(), left.toSorted());
  });

  it("are released to the end where that was begun, and a stale claim goes without the block", async () => {
    await claim(first, A, "pendingDeletion");
    await put(second, B, "");
    await claim(second, A);
    await releaseEmptyBlocks(store, affinityPrefix(), ofPool, {});
    assert.deepEqual(await keys(), [blockKey(second), affinityKey(B, second)].toSorted());
  });

  it("stay with their node when they come into use meanwhile", async () => {
    await put(first, A);
    let isTaken = false;
    const busy: Store = {
      get: (key, options) => store.get(key, options),
      list: (prefix, options) => store.list(prefix, options),
      watch: (prefix, options) => store.watch(prefix, options),
      delete: (key, options) => store.delete(key, options),
      async put(key, value, options) {
        const result = await store.put(key, value, options);
        if (!isTaken && key === affinityKey(A, first)) {
          isTaken = true;
          await put(first, A, "");
          await store.put(key, value);
        }
        return result;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    await releaseEmptyBlocks(busy, affinityPrefix(), ofPool, {});
    assert.ok(isTaken);
    assert.deepEqual(await addressesInUse(store, 4, isInPool, {}), ["10.1.0.0"]);
    assert.equal(
      (await store.get(affinityKey(A, first)))?.value,
      renderAffinity({ state: "confirmed", deleted: false }),
    );
  });
});
