// SPDX-License-Identifier: Apache-2.0
// What must hold of the stored objects after every step, for tests.
import assert from "node:assert/strict";
import type { Cidr } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Store } from "../datastore/store.ts";
import { parseAffinity } from "../model/ipam-affinity.ts";
import { type IpamBlock, parseBlock } from "../model/ipam-block.ts";
import { parseHandle } from "../model/ipam-handle.ts";
import {
  HANDLE_PREFIX,
  affinityPrefix,
  blockPrefix,
  parseAffinityKey,
  parseBlockKey,
  parseHandleKey,
} from "../model/keys.ts";
import { unwrap } from "../model/issue.ts";
import { allocationsOf } from "./block.ts";

/** Everything IPAM keeps, read from the store. */
export interface IpamState {
  readonly blocks: ReadonlyMap<Cidr, IpamBlock>;
  /** The handle that holds each address in use. */
  readonly holders: ReadonlyMap<Ip, string>;
  /** Addresses by handle and block, as the handles say. */
  readonly handles: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** `<node> <block>` with its state. */
  readonly affinities: ReadonlyMap<string, string>;
}

export async function readState(store: Store, family: Family = 4): Promise<IpamState> {
  const blocks = new Map<Cidr, IpamBlock>();
  for (const { key, value } of (await store.list(blockPrefix(family))).entries)
    blocks.set(parseBlockKey(key) ?? assert.fail(key), unwrap(parseBlock(value), key));
  const handles = new Map<string, Readonly<Record<string, number>>>();
  for (const { key, value } of (await store.list(HANDLE_PREFIX)).entries)
    handles.set(parseHandleKey(key) ?? assert.fail(key), unwrap(parseHandle(value), key).block);
  const affinities = new Map<string, string>();
  for (const { key, value } of (await store.list(affinityPrefix())).entries) {
    const { node, cidr } = parseAffinityKey(key) ?? assert.fail(key);
    affinities.set(`${node} ${cidr}`, unwrap(parseAffinity(value), key).state);
  }
  const holders = new Map<Ip, string>();
  for (const { ip, handleId } of [...blocks.values()].flatMap(allocationsOf)) {
    assert.ok(!holders.has(ip), `"${ip}" has two holders`);
    holders.set(ip, handleId ?? assert.fail(`"${ip}" has no handle`));
  }
  return { blocks, holders, handles, affinities };
}

/** Every address is free or held, never both; and the block's own number for each held one is below the block's. */
export function assertBlocksSound({ blocks }: IpamState): void {
  for (const block of blocks.values()) {
    const held = block.allocations.flatMap((index, ordinal) => (index === null ? [] : [ordinal]));
    const all = [...held, ...block.unallocated].sort((a, b) => a - b);
    assert.deepEqual(all, Array.from(block.allocations.keys()), `block "${block.cidr}" lost addresses`);
    const numbered = Object.keys(block.sequenceNumberForAllocation).map(Number);
    assert.deepEqual(
      numbered.sort((a, b) => a - b),
      held,
    );
    for (const { sequence } of allocationsOf(block)) assert.ok(sequence < block.sequenceNumber);
    const used = new Set(block.allocations.filter((index) => index !== null));
    assert.equal(used.size, block.attributes.length, `block "${block.cidr}" keeps attributes of nobody`);
  }
}

/** The handles count exactly what the blocks hold. */
export function assertHandlesExact({ blocks, handles }: IpamState): void {
  const counted = new Map<string, Record<string, number>>();
  for (const block of blocks.values())
    for (const { handleId } of allocationsOf(block)) {
      const counts = counted.get(handleId ?? "") ?? {};
      counts[block.cidr] = (counts[block.cidr] ?? 0) + 1;
      counted.set(handleId ?? "", counts);
    }
  assert.deepEqual(sorted(handles), sorted(counted));
}

/** No address is held that its handle does not lead to: what a crash may never leave behind. */
export function assertHandlesCover({ blocks, handles }: IpamState): void {
  for (const block of blocks.values())
    for (const { ip, handleId } of allocationsOf(block))
      assert.ok(
        (handles.get(handleId ?? "")?.[block.cidr] ?? 0) > 0,
        `"${ip}" is not in handle "${handleId}"`,
      );
}

/** Confirmed affinities and the blocks' own say are one and the same. */
export function assertAffinitiesExact({ blocks, affinities }: IpamState): void {
  const owned = [...blocks.values()].filter(({ affinity }) => affinity !== null);
  assert.deepEqual(
    [...affinities].map(([key, state]) => `host:${key} ${state}`).sort(),
    owned.map(({ cidr, affinity }) => `${affinity} ${cidr} confirmed`).sort(),
  );
}

function sorted<Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
