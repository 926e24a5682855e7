// SPDX-License-Identifier: Apache-2.0
import type { Cidr } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { Allocation, Attributes } from "./block.ts";

/** How a node may take blocks; Calico's IPAMConfig and IPReservation, as far as they apply. */
export interface Limits {
  readonly strictAffinity: boolean;
  /** Blocks the node may hold per family; 0 stands for Calico's 20. */
  readonly maxBlocks: number;
  /** Whether the node may take new blocks by itself. @default true */
  readonly autoAllocateBlocks?: boolean;
  /** Addresses never given out on their own; asked for by `ip` they are. */
  readonly reservations?: readonly Cidr[];
}

export interface AssignRequest extends Limits {
  /** The unit of release, `<network>.<containerID>`. Both may hold dots, so two attachments may share one. */
  readonly handleId: string;
  /** Kept beside the address; `network`, `containerID` and `interface` tell attachments of one handle apart. */
  readonly attributes: Attributes;
  /** The pools to take from, in order of preference. */
  readonly pools: readonly IPPool[];
  readonly family: Family;
  /** This address and no other. */
  readonly ip?: Ip;
  readonly signal?: AbortSignal;
}

/**
 * - `noPool`: there is no pool of the family to take from
 * - `poolFull`: every address of the pools is taken or reserved
 * - `maxBlocksPerHost`: the node's blocks are full, and it may have no more of them
 * - `autoAllocateBlocks`: the node's blocks are full, and it may not take new ones by itself
 * - `strictAffinity`: addresses are free, but in other nodes' blocks
 * - `blockSize`: the block for the address asked for would overlap blocks of another size
 */
export type Limit =
  "noPool" | "poolFull" | "maxBlocksPerHost" | "autoAllocateBlocks" | "strictAffinity" | "blockSize";

export interface Exhausted {
  readonly kind: "exhausted";
  /** Names of the pools that were tried. */
  readonly pools: readonly string[];
  readonly limit: Limit;
  readonly message: string;
}

export type AssignResult =
  | { readonly kind: "assigned"; readonly address: Ip; readonly block: Cidr; readonly pool: string }
  | Exhausted
  /** The address asked for is in use. */
  | { readonly kind: "taken"; readonly address: Ip; readonly by: Allocation; readonly message: string }
  /** The address asked for is in none of the pools. */
  | { readonly kind: "outside"; readonly address: Ip; readonly message: string };

/** What tells attachments apart, as CNI names it. */
const IDENTITY = ["network", "containerID", "interface"] as const;

/** Whether both are of one attachment. */
export function isSameAttachment(a: Attributes, b: Attributes): boolean {
  return IDENTITY.every((name) => a[name] === b[name]);
}

const REASONS: Readonly<Record<Exclude<Limit, "noPool">, string>> = {
  poolFull: "every address is taken or reserved",
  maxBlocksPerHost: "the node's blocks are full, and it holds as many as maxBlocksPerHost allows",
  autoAllocateBlocks: "the node's blocks are full, and autoAllocateBlocks is off",
  strictAffinity: "only blocks of other nodes have free addresses, and strictAffinity is on",
  blockSize:
    "the block for the address asked for would overlap blocks that are smaller, from before the pool's blockSize changed",
};

/** Says which pools were tried and which limit was hit. */
export function exhausted(pools: readonly IPPool[], limit: Limit, family: Family, node: string): Exhausted {
  const names = pools.map(({ metadata }) => metadata.name);
  const message =
    limit === "noPool"
      ? `Cannot assign an IPv${family} address on node "${node}": no pool is for it`
      : `Cannot assign an address of pool ${names.map((name) => `"${name}"`).join(", ")} on node "${node}": ${REASONS[limit]}`;
  return { kind: "exhausted", pools: names, limit, message };
}
