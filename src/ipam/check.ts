// SPDX-License-Identifier: Apache-2.0
import { type IpamHandle, handleBlocks } from "../model/ipam-handle.ts";
import { parseNodeName } from "../model/name.ts";
import {
  type Cidr,
  cidrAddress,
  cidrContainsIp,
  cidrFamily,
  cidrsOverlap,
  prefixLengthOf,
} from "../net/cidr.ts";
import { type Ip, ipToBigInt } from "../net/ip.ts";
import { type Allocation, affinityOf, allocationsOf } from "./block.ts";
import type { AddressUse, Inventory } from "./inventory.ts";

/** Something that does not agree with something else. */
export type Finding =
  /** Taken, and nobody uses it. */
  | {
      readonly kind: "leaked";
      readonly ip: Ip;
      readonly block: Cidr;
      readonly handleId: string | undefined;
      readonly node: string | undefined;
      /** Of the allocation, in decimal: a later one of the same address has another. */
      readonly sequence: string;
    }
  /** Used, and not taken: it may be given to somebody else. */
  | { readonly kind: "notAllocated"; readonly ip: Ip; readonly by: string }
  /** Used, and in no pool that is enabled. */
  | { readonly kind: "outsidePools"; readonly ip: Ip; readonly by: string }
  | { readonly kind: "severalOwners"; readonly ip: Ip; readonly by: readonly string[] }
  /** A handle that names blocks in which it has nothing, or not as much as it says. */
  | {
      readonly kind: "handleMiscounts";
      readonly handleId: string;
      readonly block: Cidr;
      readonly says: number;
      readonly has: number;
    }
  /** Addresses of a handle that is not there. */
  | { readonly kind: "handleMissing"; readonly handleId: string; readonly ips: readonly Ip[] }
  /** A node has a block confirmed which is not there, or another's. */
  | { readonly kind: "claimWithoutBlock"; readonly node: string; readonly block: Cidr }
  /** A block that says that it is a node's, which does not claim it. */
  | { readonly kind: "blockWithoutClaim"; readonly node: string; readonly block: Cidr }
  | { readonly kind: "overlappingBlocks"; readonly block: Cidr; readonly other: Cidr }
  | { readonly kind: "unreadable"; readonly key: string };

/** Everything that is amiss, in the order of {@link Finding}'s kinds; none where all is well. */
export function checkIpam(inventory: Inventory): readonly Finding[] {
  const held = heldAddresses(inventory);
  return [
    ...leaks(inventory, held),
    ...usersWithoutAddress(inventory, held),
    ...severalOwners(inventory),
    ...handleFaults(inventory, held),
    ...claimFaults(inventory),
    ...overlaps(inventory),
    ...inventory.unreadable.map((key) => ({ kind: "unreadable", key }) as const),
  ];
}

interface Held extends Allocation {
  readonly block: Cidr;
}

function heldAddresses({ blocks }: Inventory): ReadonlyMap<Ip, Held> {
  const held = new Map<Ip, Held>();
  for (const [cidr, block] of blocks)
    for (const allocation of allocationsOf(block)) held.set(allocation.ip, { ...allocation, block: cidr });
  return held;
}

function leaks({ uses }: Inventory, held: ReadonlyMap<Ip, Held>): readonly Finding[] {
  const used = new Set(uses.map(({ ip }) => ip));
  return [...held.values()]
    .filter(({ ip, handleId }) => !used.has(ip) && !isKeptBack(handleId))
    .map(({ ip, block, handleId, attributes, sequence }) => ({
      kind: "leaked",
      ip,
      block,
      handleId,
      node: attributes["node"],
      sequence: String(sequence),
    }));
}

/** Addresses that Calico holds so that nobody gets them. */
function isKeptBack(handleId: string | undefined): boolean {
  return handleId === "windows-reserved-ipam-handle";
}

function usersWithoutAddress({ uses, pools }: Inventory, held: ReadonlyMap<Ip, Held>): readonly Finding[] {
  const enabled = pools.filter(({ spec }) => !spec.disabled).map(({ spec }) => spec.cidr);
  return uses.flatMap(({ ip, by }): readonly Finding[] => [
    ...(held.has(ip) ? [] : [{ kind: "notAllocated", ip, by } as const]),
    ...(enabled.some((cidr) => cidrContainsIp(cidr, ip)) ? [] : [{ kind: "outsidePools", ip, by } as const]),
  ]);
}

function severalOwners({ uses }: Inventory): readonly Finding[] {
  const owners = new Map<Ip, AddressUse[]>();
  for (const use of uses) owners.set(use.ip, [...(owners.get(use.ip) ?? []), use]);
  return [...owners]
    .filter(([, all]) => all.length > 1)
    .map(([ip, all]) => ({ kind: "severalOwners", ip, by: all.map(({ by }) => by) }));
}

function handleFaults({ handles }: Inventory, held: ReadonlyMap<Ip, Held>): readonly Finding[] {
  const byHandle = new Map<string, Held[]>();
  for (const one of held.values())
    if (one.handleId !== undefined) byHandle.set(one.handleId, [...(byHandle.get(one.handleId) ?? []), one]);
  const missing = [...byHandle]
    .filter(([handleId]) => !handles.has(handleId))
    .map(([handleId, all]) => ({ kind: "handleMissing", handleId, ips: all.map(({ ip }) => ip) }) as const);
  const wrong = [...handles].flatMap(([handleId, handle]) =>
    miscounts(handleId, handle, byHandle.get(handleId) ?? []),
  );
  return [...missing, ...wrong];
}

function miscounts(handleId: string, handle: IpamHandle, held: readonly Held[]): readonly Finding[] {
  const blocks = new Set([...handleBlocks(handle), ...held.map(({ block }) => block)]);
  return [...blocks].flatMap((block) => {
    const says = handle.block[block] ?? 0;
    const has = held.filter((one) => one.block === block).length;
    return says === has ? [] : [{ kind: "handleMiscounts", handleId, block, says, has } as const];
  });
}

function claimFaults({ claims, blocks }: Inventory): readonly Finding[] {
  const confirmed = claims.filter(({ state }) => state === "confirmed");
  const isOf = (node: string, block: Cidr): boolean =>
    blocks.get(block)?.affinity === affinityOf(parseNodeName(node));
  const without = confirmed
    .filter(({ node, cidr }) => !isOf(node, cidr))
    .map(({ node, cidr }) => ({ kind: "claimWithoutBlock", node, block: cidr }) as const);
  const unclaimed = [...blocks].flatMap(([cidr, { affinity }]) => {
    const node = affinity?.startsWith("host:") === true ? affinity.slice("host:".length) : undefined;
    if (node === undefined || claims.some((claim) => claim.node === node && claim.cidr === cidr)) return [];
    return [{ kind: "blockWithoutClaim", node, block: cidr } as const];
  });
  return [...without, ...unclaimed];
}

/** In order, a block overlaps the largest before it, or none of those before it. */
function overlaps({ blocks }: Inventory): readonly Finding[] {
  const cidrs = [...blocks.keys()].sort(compareCidrs);
  let widest: Cidr | undefined;
  const found: Finding[] = [];
  for (const block of cidrs) {
    if (widest !== undefined && cidrsOverlap(widest, block))
      found.push({ kind: "overlappingBlocks", block: widest, other: block });
    else widest = block;
  }
  return found;
}

function compareCidrs(a: Cidr, b: Cidr): number {
  if (cidrFamily(a) !== cidrFamily(b)) return cidrFamily(a) - cidrFamily(b);
  const [left, right] = [ipToBigInt(cidrAddress(a)), ipToBigInt(cidrAddress(b))];
  return left === right ? prefixLengthOf(a) - prefixLengthOf(b) : left < right ? -1 : 1;
}

/** The finding in words, for a person. */
export function describeFinding(finding: Finding): string {
  switch (finding.kind) {
    case "leaked": {
      const { ip, handleId = "none", node } = finding;
      return `${ip} is allocated and not in use (handle "${handleId}"${node === undefined ? "" : `, node "${node}"`})`;
    }
    case "notAllocated":
      return `${finding.ip} is in use and not allocated: ${finding.by} has it`;
    case "outsidePools":
      return `${finding.ip} is in use and in no enabled pool: ${finding.by} has it`;
    case "severalOwners":
      return `${finding.ip} has several owners: ${finding.by.join(", ")}`;
    case "handleMiscounts":
      return `handle "${finding.handleId}" says that it has ${finding.says} addresses in ${finding.block}, and has ${finding.has}`;
    case "handleMissing":
      return `handle "${finding.handleId}" is not there, and has ${finding.ips.join(", ")}`;
    case "claimWithoutBlock":
      return `node "${finding.node}" claims block ${finding.block}, which is not its own`;
    case "blockWithoutClaim":
      return `block ${finding.block} is of node "${finding.node}", which does not claim it`;
    case "overlappingBlocks":
      return `block ${finding.block} overlaps block ${finding.other}`;
    case "unreadable":
      return `what is stored under "${finding.key}" cannot be read`;
  }
}

/** Findings of both, for what is under way is amiss once only. */
export function findingsOfBoth(first: readonly Finding[], second: readonly Finding[]): readonly Finding[] {
  const known = new Set(first.map((finding) => JSON.stringify(finding)));
  return second.filter((finding) => known.has(JSON.stringify(finding)));
}
