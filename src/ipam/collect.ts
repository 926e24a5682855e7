// SPDX-License-Identifier: Apache-2.0
import type { Store, WaitOptions } from "../datastore/store.ts";
import { type IpamBlock, parseBlock, renderBlock } from "../model/ipam-block.ts";
import { handleBlocks, parseHandle } from "../model/ipam-handle.ts";
import {
  HANDLE_PREFIX,
  affinityKey,
  affinityPrefix,
  blockKey,
  parseHandleKey,
  resourceKey,
} from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { affinityOf, allocationsOf } from "./block.ts";
import { Cell } from "./cell.ts";
import {
  type HeldAddress,
  type Holder,
  type RecordedEndpoint,
  addressesHeldBy,
  claimedBlocks,
  endpointsOf,
  isSameHeld,
  wholeHandles,
} from "./held.ts";
import { releaseEmptyBlocks } from "./pool-blocks.ts";
import { releaseSeenAddresses } from "./release.ts";

export type Collected =
  /** What came back to the cluster. */
  | {
      readonly kind: "collected";
      readonly released: readonly Ip[];
      /** Keys of the records of its containers. */
      readonly endpoints: readonly string[];
    }
  /** Its Node resource is there. */
  | { readonly kind: "alive" }
  /** It holds what it did not hold when it was first looked at: somebody takes addresses for it. */
  | { readonly kind: "changed" };

/**
 * Takes back what a node holds whose Node resource is gone, if it held just that when it was looked at `before`; and nothing while
 * the resource is there: a node that merely does not answer keeps everything. Whoever does the same at the same time does no harm: each step is
 * conditional on what was seen, and may find its work done.
 */
export async function collectNode(
  store: Store,
  node: Holder,
  before: readonly HeldAddress[],
  options: WaitOptions = {},
): Promise<Collected> {
  const { name } = node;
  const isThere = async (): Promise<boolean> =>
    (await store.get(resourceKey("Node", name), options)) !== undefined;
  if (await isThere()) return { kind: "alive" };
  const held = await addressesHeldBy(store, node, options);
  if (!held.every((one) => before.some((other) => isSameHeld(one, other)))) return { kind: "changed" };
  const whole = await wholeHandles(store, held, options);
  // Looked at once more: it may have come back while all of that was read.
  if (await isThere()) return { kind: "alive" };
  const released = await releaseSeenAddresses(store, whole, options);
  const own = await endpointsOf(store, name, options);
  await dropIdleHandles(store, own, held, options);
  // After the addresses: until then they tell a later attempt whose handles are to be looked at.
  for (const { entry } of own) await store.delete(entry.key, { ...options, expect: entry.revision });
  await releaseEmptyBlocks(store, affinityPrefix(name), () => true, options);
  for (const cidr of await claimedBlocks(store, name, options)) await disown(store, name, cidr, options);
  return { kind: "collected", released, endpoints: own.map(({ entry }) => entry.key) };
}

/**
 * Handles of containers whose addresses are free already: an earlier attempt ended between an address and its handle. Only then are all handles
 * of the cluster read.
 */
async function dropIdleHandles(
  store: Store,
  own: readonly RecordedEndpoint[],
  held: readonly HeldAddress[],
  options: WaitOptions,
): Promise<void> {
  const holders = new Set(held.map(({ attributes }) => attributes["containerID"]));
  const containers = own
    .map(({ spec }) => spec.containerID)
    .filter((id) => id !== undefined && !holders.has(id));
  if (containers.length === 0) return;
  const { entries } = await store.list(HANDLE_PREFIX, options);
  for (const { key, value, revision } of entries) {
    const handleId = parseHandleKey(key);
    const handle = parseHandle(value);
    if (handleId === undefined || handle.kind !== "ok") continue;
    if (!containers.some((id) => handleId.endsWith(`.${id}`))) continue;
    if (!(await isHolding(store, handleId, handleBlocks(handle.value), options)))
      await store.delete(key, { ...options, expect: revision });
  }
}

async function isHolding(
  store: Store,
  handleId: string,
  blocks: readonly Cidr[],
  options: WaitOptions,
): Promise<boolean> {
  for (const cidr of blocks) {
    const entry = await store.get(blockKey(cidr), options);
    const block = entry && parseBlock(entry.value);
    if (block?.kind === "invalid") return true;
    if (block?.kind === "ok" && allocationsOf(block.value).some((one) => one.handleId === handleId))
      return true;
  }
  return false;
}

/** A block in which others have borrowed addresses is nobody's from now on, and goes with the last of them. */
async function disown(store: Store, node: NodeName, cidr: Cidr, { signal }: WaitOptions): Promise<void> {
  const block = new Cell<IpamBlock>(store, blockKey(cidr), { parse: parseBlock, render: renderBlock });
  await block.update((have) => {
    const isTheirs = have !== undefined && have.affinity === affinityOf(node);
    return { value: isTheirs ? { ...have, affinity: null } : have, result: undefined };
  }, signal);
  const key = affinityKey(node, cidr);
  const entry = await store.get(key, signal && { signal });
  if (entry !== undefined) await store.delete(key, { ...(signal && { signal }), expect: entry.revision });
}
