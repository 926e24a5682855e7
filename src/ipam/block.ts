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

/** Takes one address of the block, reserved or not; `undefined` where it is in use. */
export function assignIp(block: IpamBlock, ip: Ip, holder: Holder): IpamBlock | undefined {
  const ordinal = addressIndex(block.cidr, ip);
  return block.unallocated.includes(ordinal) ? take(block, ordinal, holder) : undefined;
}

/** Gives back every address that `matches`, last in the line for reuse. The same block comes back where none does. */
export function releaseWhere(
  block: IpamBlock,
  matches: (allocation: Allocation) => boolean,
): { readonly block: IpamBlock; readonly released: readonly Ip[] } {
  const released = allocationsOf(block)
    .filter(matches)
    .map(({ ip }) => ip);
  if (released.length === 0) return { block, released };
  const ordinals = new Set(released.map((ip) => addressIndex(block.cidr, ip)));
  const sequences = Object.entries(block.sequenceNumberForAllocation).filter(
    ([ordinal]) => !ordinals.has(Number(ordinal)),
  );
  return {
    released,
    block: dropUnusedAttributes({
      ...block,
      allocations: block.allocations.map((index, ordinal) => (ordinals.has(ordinal) ? null : index)),
      unallocated: [...block.unallocated, ...ordinals],
      sequenceNumber: block.sequenceNumber + 1n,
      sequenceNumberForAllocation: Object.fromEntries(sequences),
    }),
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

/** Every address in use, in order. */
export function allocationsOf(block: IpamBlock): readonly Allocation[] {
  return block.allocations.flatMap((index, ordinal) =>
    index === null ? [] : [allocationAt(block, index, ordinal)],
  );
}

/** Who holds the address; `undefined` where nobody does, or it is outside the block. */
export function allocationOf(block: IpamBlock, ip: Ip): Allocation | undefined {
  if (!cidrContainsIp(block.cidr, ip)) return undefined;
  const ordinal = addressIndex(block.cidr, ip);
  const index = block.allocations[ordinal];
  return index === null || index === undefined ? undefined : allocationAt(block, index, ordinal);
}

/** Whether the allocation has every one of the attributes, whatever others it has. */
export function hasAttributes(allocation: Allocation, wanted: Attributes): boolean {
  return Object.entries(wanted).every(([name, value]) => allocation.attributes[name] === value);
}

/** How many addresses can still be given out. */
export function countFree(block: IpamBlock, reserved: Reserved = nothing): number {
  return block.unallocated.filter((ordinal) => !reserved(addressAt(block.cidr, ordinal))).length;
}

export function isEmpty(block: IpamBlock): boolean {
  return block.allocations.every((index) => index === null);
}

function take(block: IpamBlock, ordinal: number, holder: Holder): IpamBlock {
  const { attributes, index } = withAttribute(block.attributes, holder);
  return {
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
  };
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
    (entry) => entry.handle_id === handleId && sameAttributes(entry.secondary, secondary),
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

function dropUnusedAttributes(block: IpamBlock): IpamBlock {
  const used = [...new Set(block.allocations.filter((index) => index !== null))].sort((a, b) => a - b);
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
