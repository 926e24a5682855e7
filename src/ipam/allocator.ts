// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrContainsIp, cidrOf } from "../net/cidr.ts";
import type { Family, Ip } from "../net/ip.ts";
import { DatastoreError } from "../datastore/store.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { NodeName } from "../model/name.ts";
import { poolOf } from "../model/pools.ts";
import { type AssignRequest, type AssignResult, type Limit, exhausted } from "./assignment.ts";
import {
  type Allocation,
  type Attributes,
  type Holder,
  allocationsOf,
  countFree,
  hasAttributes,
  isEmpty,
  releaseWhere,
} from "./block.ts";
import type { BlockListing } from "./block-listing.ts";
import { Ledger } from "./ledger.ts";
import { Lock } from "../system/lock.ts";
import { type Lookup, type LookupOptions, lookUp } from "./lookup.ts";
import {
  type ClaimRequest,
  type IpamDependencies,
  NodeBlocks,
  type NodeBlocksOptions,
  type SpareResult,
} from "./node-blocks.ts";
import type { OwnBlock } from "./stock.ts";
import { type Attempt, Search, reservedBy } from "./search.ts";

export type { Lookup, LookupOptions } from "./lookup.ts";
export type { IpamDependencies, SpareResult } from "./node-blocks.ts";

export interface ReleaseOptions {
  /** Only the addresses that have all of these; without it, all that the handle holds. */
  readonly attributes?: Attributes;
  readonly signal?: AbortSignal;
}

/**
 * Gives addresses to the containers of one node, by Calico's block model: from the node's blocks, else from a new block,
 * else, unless `strictAffinity`, from another node's. Every method may throw `DatastoreError`; what was begun then is
 * repaired by `releaseByHandle`, or by assigning again.
 */
export interface Allocator {
  /** Assigning again for the same attachment and family gives the address that is held already. */
  assign(request: AssignRequest): Promise<AssignResult>;
  /** Gives back what the handle holds; nothing held is no fault. */
  releaseByHandle(handleId: string, options?: ReleaseOptions): Promise<{ readonly released: readonly Ip[] }>;
  /**
   * Reads where the address stands; `undefined` where no block holds it. The block is found at once where it is the node's,
   * or the pools are given; otherwise every block of the family is listed.
   */
  lookup(ip: Ip, options?: LookupOptions): Promise<Lookup | undefined>;
  /** The node's blocks of the family, and what they have free. */
  ownBlocks(
    family: Family,
    options?: { readonly reservations?: readonly Cidr[]; readonly signal?: AbortSignal },
  ): Promise<readonly OwnBlock[]>;
  /** Gets the node another block of the pools where its own are nearly full, unless few are left for other nodes. */
  claimSpareBlock(request: ClaimRequest): Promise<SpareResult>;
  /** Gives up those of the blocks that are the node's and in no use; returns them. */
  releaseBlocks(
    cidrs: readonly Cidr[],
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly Cidr[]>;
}

/** Rounds through the node's blocks before giving up, each lost to others. */
const MAX_ROUNDS = 100;

export function createAllocator(dependencies: IpamDependencies, options: NodeBlocksOptions): Allocator {
  return new BlockAllocator(dependencies, options);
}

class BlockAllocator implements Allocator {
  readonly #dependencies: IpamDependencies;
  readonly #node: NodeName;
  readonly #blocks: NodeBlocks;
  /** A handle's tasks run one at a time; those of different handles side by side. */
  readonly #handles = new Lock();

  constructor(dependencies: IpamDependencies, options: NodeBlocksOptions) {
    this.#dependencies = dependencies;
    this.#node = options.nodeName;
    this.#blocks = new NodeBlocks(dependencies, options);
  }

  async assign(request: AssignRequest): Promise<AssignResult> {
    const { handleId, ip, signal } = request;
    const search = new Search(this.#blocks, new Ledger(this.#dependencies.store, handleId), request);
    const task = (): Promise<AssignResult> =>
      ip === undefined ? this.#assignAny(search) : this.#assignExactly(search, ip);
    return this.#handles.run(handleId, task, signal);
  }

  async releaseByHandle(
    handleId: string,
    options: ReleaseOptions = {},
  ): Promise<{ readonly released: readonly Ip[] }> {
    const { attributes = {}, signal } = options;
    const task = async (): Promise<{ readonly released: readonly Ip[] }> => {
      const ledger = new Ledger(this.#dependencies.store, handleId);
      const left = new Map<Cidr, number>();
      const released: Ip[] = [];
      for (const cidr of await ledger.blocks(signal)) {
        const outcome = await this.#releaseIn(cidr, { handleId, attributes }, signal);
        left.set(cidr, outcome.left);
        released.push(...outcome.released);
      }
      await ledger.set(left, signal);
      return { released };
    };
    return this.#handles.run(handleId, task, signal);
  }

  async lookup(ip: Ip, options: LookupOptions = {}): Promise<Lookup | undefined> {
    return lookUp({ store: this.#dependencies.store, blocks: this.#blocks }, ip, options);
  }

  async ownBlocks(
    family: Family,
    { reservations, signal }: { readonly reservations?: readonly Cidr[]; readonly signal?: AbortSignal } = {},
  ): Promise<readonly OwnBlock[]> {
    return this.#blocks.stock(family, reservedBy(reservations), signal);
  }

  async claimSpareBlock(request: ClaimRequest): Promise<SpareResult> {
    return this.#blocks.claimSpare(request, reservedBy(request.reservations));
  }

  async releaseBlocks(
    cidrs: readonly Cidr[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly Cidr[]> {
    return this.#blocks.release(cidrs, signal);
  }

  async #assignAny(search: Search): Promise<AssignResult> {
    const { request, pools, reserved } = search;
    const { family, signal } = request;
    if (pools.length === 0) return exhausted(request.pools, "noPool", family, this.#node);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      for (const cidr of await this.#blocks.list(family, signal)) {
        if (poolOf(pools, cidrAddress(cidr)) === undefined || !this.#blocks.hasRoom(cidr, reserved)) continue;
        const attempt = await search.tryNext(cidr, true);
        if (attempt.kind === "assigned") return assigned(attempt, pools);
        if (attempt.kind !== "full") await this.#blocks.settle(cidr, signal);
      }
      const claim = await this.#blocks.claim(search.claim, reserved);
      if (claim.kind === "refused") return this.#borrow(search, claim.limit, claim.blocks);
    }
    throw new DatastoreError(
      "unavailable",
      `Cannot assign an address for "${request.handleId}": lost every race`,
    );
  }

  /** The last resort: an address of another node's block, from the one with most room. */
  async #borrow(search: Search, limit: Limit, blocks: BlockListing): Promise<AssignResult> {
    const { request, pools, reserved } = search;
    const lenders = [...blocks]
      .filter(([cidr, block]) => !this.#blocks.isOwn(block) && poolOf(pools, cidrAddress(cidr)) !== undefined)
      .map(([cidr, block]) => ({ cidr, free: countFree(this.#blocks.thawed(block), reserved) }))
      .filter(({ free }) => free > 0)
      .sort((a, b) => b.free - a.free);
    if (request.strictAffinity) {
      const hit = limit === "poolFull" && lenders.length > 0 ? "strictAffinity" : limit;
      return exhausted(pools, hit, request.family, this.#node);
    }
    for (const { cidr } of lenders) {
      const attempt = await search.tryNext(cidr, false);
      if (attempt.kind === "assigned") return assigned(attempt, pools);
    }
    return exhausted(pools, limit, request.family, this.#node);
  }

  async #assignExactly(search: Search, ip: Ip): Promise<AssignResult> {
    const { request, pools } = search;
    const pool = poolOf(pools, ip);
    if (pool === undefined)
      return {
        kind: "outside",
        address: ip,
        message: `Cannot assign "${ip}": it is in no pool of the request`,
      };
    const place = cidrOf(ip, pool.spec.blockSize);
    let cidr = place;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const attempt = await search.tryExactly(cidr, ip);
      switch (attempt.kind) {
        case "assigned":
          return assigned(attempt, pools);
        case "foreign":
          return exhausted([pool], "strictAffinity", request.family, this.#node);
        case "full":
          return taken(ip, attempt.by);
        case "absent": {
          const claim = await this.#blocks.claimExactly(place, search.claim);
          if (claim.kind === "refused") return exhausted([pool], claim.limit, request.family, this.#node);
          // A block that is older than the pool's block size serves as well as any.
          const next = claim.kind === "claimed" ? place : claim.by.find((other) => cidrContainsIp(other, ip));
          if (next === undefined) return exhausted([pool], "blockSize", request.family, this.#node);
          cidr = next;
        }
      }
    }
    throw new DatastoreError("unavailable", `Cannot assign "${ip}": lost every race for block "${place}"`);
  }

  async #releaseIn(
    cidr: Cidr,
    { handleId, attributes }: Holder,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly released: readonly Ip[]; readonly left: number }> {
    return this.#blocks.cell(cidr).update((have) => {
      if (have === undefined) return { value: have, result: { released: [], left: 0 } };
      const { block, released } = releaseWhere(
        have,
        (allocation) => allocation.handleId === handleId && hasAttributes(allocation, attributes),
        this.#blocks.coolsFromMs(),
      );
      const left = allocationsOf(block).filter((allocation) => allocation.handleId === handleId).length;
      // A block that nobody owns any more goes with its last address.
      const value = released.length > 0 && block.affinity === null && isEmpty(block) ? undefined : block;
      return { value, result: { released, left } };
    }, signal);
  }
}

function assigned(attempt: Attempt & { readonly kind: "assigned" }, pools: readonly IPPool[]): AssignResult {
  return { ...attempt, pool: poolOf(pools, attempt.address)?.metadata.name ?? "" };
}

function taken(ip: Ip, by: Allocation | undefined): AssignResult {
  const holder = by ?? { ip, handleId: undefined, attributes: {}, sequence: 0n };
  const name = holder.handleId === undefined ? "a holder without a handle" : `"${holder.handleId}"`;
  const { node } = holder.attributes;
  const message = `Cannot assign "${ip}": it is held by ${name}${node === undefined ? "" : ` on node "${node}"`}`;
  return { kind: "taken", address: ip, by: holder, message };
}
