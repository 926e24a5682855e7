// SPDX-License-Identifier: Apache-2.0
import { type Cidr, addressAt, addressIndex, cidrContainsIp, cidrSize } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { AllocationAttribute, IpamBlock } from "../model/ipam-block.ts";
import type { NodeName } from "../model/name.ts";

export type Attributes = Readonly<Record<string, string>>;

/** Who an address is given to. */
export interface Holder {
  /** The unit of release. */
  readonly handleId: string;
  readonly attributes: Attributes;
}

/** An address that is in use. */
export interface Allocation {
  readonly ip: Ip;
  /** `undefined` where the address was taken without a handle. */
  readonly handleId: string | undefined;
  readonly attributes: Attributes;
  /** The block's sequence number when the address was taken: it tells a holder from the next one of the same address. */
  readonly sequence: bigint;
}

/** Whether an address is kept back from automatic assignment. */
export type Reserved = (ip: Ip) => boolean;

export interface NewBlockOptions {
  readonly node: NodeName;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** A block whose addresses are all free. */
export function newBlock(cidr: Cidr, { node, nowMs }: NewBlockOptions): IpamBlock {
  const size = Number(cidrSize(cidr));
  return {
    cidr,
    affinity: affinityOf(node),
    allocations: Array<null>(size).fill(null),
    unallocated: Array.from({ length: size }, (_, ordinal) => ordinal),
    attributes: [],
    // Nanoseconds, as Calico starts: a block made anew after it was deleted does not repeat its numbers.
    sequenceNumber: BigInt(nowMs) * 1_000_000n,
    sequenceNumberForAllocation: {},
    affinityClaimTime: `${new Date(nowMs).toISOString().slice(0, 19)}Z`,
    deleted: false,
  };
}

/** How a block says that it is a node's own. */
export function affinityOf(node: NodeName): string {
  return `host:${node}`;
}

/** Takes the address that has been free longest; `undefined` where none is free that is not reserved. */
export function assignNext(
  block: IpamBlock,
  holder: Holder,
  reserved: Reserved = nothing,
): { readonly block: IpamBlock; readonly ip: Ip } | undefined {
  const ordinal = block.unallocated.find((free) => !reserved(addressAt(block.cidr, free)));
  if (ordinal === undefined) return undefined;
  return { block: take(block, ordinal, holder), ip: addressAt(block.cidr, ordinal) };
}

/** Takes one address of the block, reserved, cooling down or not; `undefined` where it is in use. */
export function assignIp(block: IpamBlock, ip: Ip, holder: Holder): IpamBlock | undefined {
  return allocationOf(block, ip) === undefined
    ? take(block, addressIndex(block.cidr, ip), holder)
    : undefined;
}

/**
 * Gives back every address that `matches`, last in the line for reuse. The same block comes back where none does. With `coolsFromMs`, since the Unix
 * epoch, they are nobody's from then on, and free only once they have cooled down.
 */
export function releaseWhere(
  block: IpamBlock,
  matches: (allocation: Allocation) => boolean,
  coolsFromMs?: number,
): { readonly block: IpamBlock; readonly released: readonly Ip[] } {
  const released = allocationsOf(block)
    .filter(matches)
    .map(({ ip }) => ip);
  if (released.length === 0) return { block, released };
  const ordinals = new Set(released.map((ip) => addressIndex(block.cidr, ip)));
  const sequences = Object.entries(block.sequenceNumberForAllocation).filter(
    ([ordinal]) => !ordinals.has(Number(ordinal)),
  );
  const next = {
    ...block,
    sequenceNumber: block.sequenceNumber + 1n,
    sequenceNumberForAllocation: Object.fromEntries(sequences),
  };
  const freed = coolsFromMs === undefined ? free(next, ordinals) : cool(next, ordinals, coolsFromMs);
  return { released, block: dropUnusedAttributes(freed) };
}

/** Frees the addresses that were given back `restMs` milliseconds before `nowMs`, or earlier. The same block comes back where there are none. */
export function thaw(
  block: IpamBlock,
  { nowMs, restMs }: { readonly nowMs: number; readonly restMs: number },
): IpamBlock {
  const ordinals = coolingOf(block).filter(({ sinceMs }) => sinceMs + restMs <= nowMs);
  if (ordinals.length === 0) return block;
  const inOrder = ordinals.toSorted((a, b) => a.sinceMs - b.sinceMs).map(({ ordinal }) => ordinal);
  return dropUnusedAttributes(free(block, new Set(inOrder)));
}

/** Whether addresses of the block cool down. */
export function isCooling(block: IpamBlock): boolean {
  return block.attributes.some(({ releasedAt }) => releasedAt !== undefined);
}

function coolingOf(block: IpamBlock): readonly { readonly ordinal: number; readonly sinceMs: number }[] {
  if (!isCooling(block)) return [];
  return block.allocations.flatMap((index, ordinal) => {
    const since = index === null ? undefined : block.attributes[index]?.releasedAt;
    return since === undefined ? [] : [{ ordinal, sinceMs: Date.parse(since) }];
  });
}

function free(block: IpamBlock, ordinals: ReadonlySet<number>): IpamBlock {
  return {
    ...block,
    allocations: block.allocations.map((index, ordinal) => (ordinals.has(ordinal) ? null : index)),
    unallocated: [...block.unallocated, ...ordinals],
  };
}

function cool(block: IpamBlock, ordinals: ReadonlySet<number>, fromMs: number): IpamBlock {
  const index = block.attributes.length;
  return {
    ...block,
    allocations: block.allocations.map((before, ordinal) => (ordinals.has(ordinal) ? index : before)),
    attributes: [
      ...block.attributes,
      { handle_id: null, secondary: {}, releasedAt: new Date(fromMs).toISOString() },
    ],
  };
}

/** Gives back one address, only if it is still held as `seen` says; otherwise the same block comes back. */
export function releaseSeen(block: IpamBlock, seen: Allocation): IpamBlock {
  return releaseWhere(
    block,
    ({ ip, handleId, sequence }) =>
      ip === seen.ip && handleId === seen.handleId && sequence === seen.sequence,
  ).block;
}

/** Every address in use, in order; one that cools down is nobody's. */
export function allocationsOf(block: IpamBlock): readonly Allocation[] {
  return block.allocations.flatMap((index, ordinal) =>
    index === null || isResting(block, index) ? [] : [allocationAt(block, index, ordinal)],
  );
}

function isResting(block: IpamBlock, index: number): boolean {
  return block.attributes[index]?.releasedAt !== undefined;
}

/** Who holds the address; `undefined` where nobody does, or it is outside the block. */
export function allocationOf(block: IpamBlock, ip: Ip): Allocation | undefined {
  if (!cidrContainsIp(block.cidr, ip)) return undefined;
  const ordinal = addressIndex(block.cidr, ip);
  const index = block.allocations[ordinal];
  const isFree = index === null || index === undefined || isResting(block, index);
  return isFree ? undefined : allocationAt(block, index, ordinal);
}

/** Whether the allocation has every one of the attributes, whatever others it has. */
export function hasAttributes(allocation: Pick<Allocation, "attributes">, wanted: Attributes): boolean {
  return Object.entries(wanted).every(([name, value]) => allocation.attributes[name] === value);
}

/** How many addresses can still be given out. */
export function countFree(block: IpamBlock, reserved: Reserved = nothing): number {
  return block.unallocated.filter((ordinal) => !reserved(addressAt(block.cidr, ordinal))).length;
}

/** How many addresses somebody holds; those that cool down are nobody's. */
export function countInUse(block: IpamBlock): number {
  return block.allocations.filter((index) => index !== null && !isResting(block, index)).length;
}

/** Whether nobody holds an address of the block; some may still cool down. */
export function isEmpty(block: IpamBlock): boolean {
  return block.allocations.every((index) => index === null || isResting(block, index));
}

function take(block: IpamBlock, ordinal: number, holder: Holder): IpamBlock {
  const { attributes, index } = withAttribute(block.attributes, holder);
  return dropUnusedAttributes({
    ...block,
    attributes,
    allocations: block.allocations.with(ordinal, index),
    unallocated: block.unallocated.filter((free) => free !== ordinal),
    // As Calico: the allocation remembers the number before this write, which raises it.
    sequenceNumber: block.sequenceNumber + 1n,
    sequenceNumberForAllocation: {
      ...block.sequenceNumberForAllocation,
      [String(ordinal)]: block.sequenceNumber,
    },
  });
}

function allocationAt(block: IpamBlock, index: number, ordinal: number): Allocation {
  const attribute = block.attributes[index];
  return {
    ip: addressAt(block.cidr, ordinal),
    handleId: attribute?.handle_id ?? undefined,
    attributes: attribute?.secondary ?? {},
    sequence: block.sequenceNumberForAllocation[String(ordinal)] ?? 0n,
  };
}

/** Equal holders share one entry. */
function withAttribute(
  attributes: readonly AllocationAttribute[],
  { handleId, attributes: secondary }: Holder,
): { readonly attributes: readonly AllocationAttribute[]; readonly index: number } {
  const index = attributes.findIndex(
    (entry) =>
      entry.handle_id === handleId &&
      entry.releasedAt === undefined &&
      sameAttributes(entry.secondary, secondary),
  );
  if (index >= 0) return { attributes, index };
  return { attributes: [...attributes, { handle_id: handleId, secondary }], index: attributes.length };
}

function sameAttributes(a: Attributes, b: Attributes): boolean {
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
  );
}

/** The same block comes back where all are used. */
function dropUnusedAttributes(block: IpamBlock): IpamBlock {
  const used = [...new Set(block.allocations.filter((index) => index !== null))].sort((a, b) => a - b);
  if (used.length === block.attributes.length) return block;
  const moved = new Map(used.map((old, index) => [old, index]));
  return {
    ...block,
    attributes: block.attributes.filter((_, index) => moved.has(index)),
    allocations: block.allocations.map((index) => (index === null ? null : (moved.get(index) ?? null))),
  };
}

function nothing(): boolean {
  return false;
}
