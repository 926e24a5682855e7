// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrFamily } from "../net/cidr.ts";
import type { Family } from "../net/ip.ts";
import type { Store } from "../datastore/store.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { type BlockAffinity, parseAffinity, renderAffinity } from "../model/ipam-affinity.ts";
import { type IpamBlock, parseBlock, renderBlock } from "../model/ipam-block.ts";
import { DEFAULT_MAX_BLOCKS_PER_HOST } from "../model/ipam-config.ts";
import { affinityKey, affinityPrefix, blockKey, blockPrefix, parseAffinityKey } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import { poolOf } from "../model/pools.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Limit, Limits } from "./assignment.ts";
import { type Reserved, affinityOf, countFree, isCooling, isEmpty, newBlock, thaw } from "./block.ts";
import { type BlockListing, freeBlocks, overlapping, readListing } from "./block-listing.ts";
import { Cell, type Codec } from "./cell.ts";
import { Lock } from "../system/lock.ts";
import { type OwnBlock, isLow, leavesEnough } from "./stock.ts";

export interface IpamDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodeBlocksOptions {
  readonly nodeName: NodeName;
  /** For how long an address that was given back is not given out again, in seconds, as it is now. @default 0 */
  readonly cooldownSeconds?: (() => number) | undefined;
}

export interface ClaimRequest extends Limits {
  readonly pools: readonly IPPool[];
  readonly family: Family;
  readonly signal?: AbortSignal;
}

export type ClaimResult =
  | { readonly kind: "claimed"; readonly block: Cidr }
  /** No claim was needed: a block of the node has room after all. */
  | { readonly kind: "room"; readonly block: Cidr }
  | { readonly kind: "refused"; readonly limit: Limit; readonly blocks: BlockListing };

export type SpareResult =
  | { readonly kind: "claimed"; readonly block: Cidr }
  /** The node's blocks have room, by now: another claim may have been under way. */
  | { readonly kind: "enough" }
  /** So few blocks of the pools are left that they are kept for nodes that need them. */
  | { readonly kind: "scarce" }
  | { readonly kind: "refused"; readonly limit: Limit };

export type ExactClaimResult =
  | Exclude<ClaimResult, { readonly kind: "room" }>
  /** By the block itself, whosever it is, or by blocks of other sizes from when the pool was cut differently. */
  | { readonly kind: "occupied"; readonly by: readonly Cidr[] };

const BLOCKS: Codec<IpamBlock> = { parse: parseBlock, render: renderBlock };
const AFFINITIES: Codec<BlockAffinity> = { parse: parseAffinity, render: renderAffinity };
const CLAIM = "claim";

/**
 * The blocks of one node: those it has, and how it gets and gives up more. A claim takes three writes, so that it can be
 * cut off anywhere: a pending affinity, the block itself, the confirmation. The block alone decides whose it is; claims
 * cut off are finished or withdrawn when they are next met.
 */
export class NodeBlocks {
  readonly #dependencies: IpamDependencies;
  readonly #node: NodeName;
  readonly #cooldownSeconds: () => number;
  readonly #cells = new Map<Cidr, Cell<IpamBlock>>();
  readonly #own: Readonly<Record<Family, Set<Cidr>>> = { 4: new Set(), 6: new Set() };
  /** Families whose blocks were read from the store. */
  readonly #loaded = new Set<Family>();
  /** Tasks about to take an address, by block; a block without any is not in it. */
  readonly #promised = new Map<Cidr, number>();
  readonly #lock = new Lock();

  constructor(dependencies: IpamDependencies, { nodeName, cooldownSeconds = () => 0 }: NodeBlocksOptions) {
    this.#dependencies = dependencies;
    this.#node = nodeName;
    this.#cooldownSeconds = cooldownSeconds;
  }

  /** The block with those addresses free that have cooled down. */
  thawed(block: IpamBlock): IpamBlock {
    return thaw(block, { nowMs: this.#dependencies.clock.now(), restMs: this.#cooldownSeconds() * 1000 });
  }

  /** From when on an address cools down that is given back now; `undefined` where it is free at once. */
  coolsFromMs(): number | undefined {
    return this.#cooldownSeconds() > 0 ? this.#dependencies.clock.now() : undefined;
  }

  /** The one way to read and write a block, the node's own or not. */
  cell(cidr: Cidr): Cell<IpamBlock> {
    const known = this.#cells.get(cidr);
    if (known !== undefined) return known;
    const cell = new Cell(this.#dependencies.store, blockKey(cidr), BLOCKS);
    this.#cells.set(cidr, cell);
    return cell;
  }

  /** The block as it stands in the store now. */
  async read(cidr: Cidr, signal?: AbortSignal): Promise<IpamBlock | undefined> {
    return this.cell(cidr).update((block) => ({ value: block, result: block }), signal);
  }

  isOwn(block: IpamBlock): boolean {
    return block.affinity === affinityOf(this.#node);
  }

  /** The node's blocks of the family; read from the store once, and kept up to date from then on. */
  async list(family: Family, signal?: AbortSignal): Promise<readonly Cidr[]> {
    if (!this.#loaded.has(family)) await this.#lock.run(CLAIM, () => this.#load(family, signal), signal);
    return [...this.#own[family]];
  }

  /** Whether the block, as last seen, has an address that nobody in this process is about to take. */
  hasRoom(cidr: Cidr, reserved?: Reserved): boolean {
    const block = this.cell(cidr).seen;
    if (block === undefined) return true;
    return countFree(this.thawed(block), reserved) > (this.#promised.get(cidr) ?? 0);
  }

  /** Counts the task among those about to take an address of the block, for as long as it runs. */
  async promise<T>(cidr: Cidr, task: () => Promise<T>): Promise<T> {
    this.#promised.set(cidr, (this.#promised.get(cidr) ?? 0) + 1);
    try {
      return await task();
    } finally {
      const left = (this.#promised.get(cidr) ?? 1) - 1;
      if (left > 0) this.#promised.set(cidr, left);
      else this.#promised.delete(cidr);
    }
  }

  /** Gets the node another block, unless it turns out to have room. */
  async claim(request: ClaimRequest, reserved?: Reserved): Promise<ClaimResult> {
    const { family, signal } = request;
    await this.list(family, signal);
    return this.#lock.run(CLAIM, () => this.#claimAny(request, reserved), signal);
  }

  /** Gets the node this block, unless others stand in its place. */
  async claimExactly(cidr: Cidr, request: ClaimRequest): Promise<ExactClaimResult> {
    const { family, signal } = request;
    await this.list(family, signal);
    return this.#lock.run(
      CLAIM,
      async () => {
        const blocks = await this.#listAll(family, signal);
        const others = overlapping(cidr, blocks);
        if (others.length > 0) return { kind: "occupied", by: others };
        const limit = this.#limitOf(request);
        if (limit !== undefined) return { kind: "refused", limit, blocks };
        return (await this.#claimBlock(cidr, signal))
          ? { kind: "claimed", block: cidr }
          : { kind: "occupied", by: [cidr] };
      },
      signal,
    );
  }

  /** Finds out whether a block believed to be the node's still is, and makes the affinity agree. */
  async settle(cidr: Cidr, signal?: AbortSignal): Promise<void> {
    await this.#lock.run(CLAIM, () => this.#claimBlock(cidr, signal), signal);
  }

  /** The node's blocks of the family, and what they have free; a block that was not looked at yet is read. */
  async stock(family: Family, reserved?: Reserved, signal?: AbortSignal): Promise<readonly OwnBlock[]> {
    const stock: OwnBlock[] = [];
    for (const cidr of await this.list(family, signal)) {
      const block = this.cell(cidr).seen ?? (await this.read(cidr, signal));
      if (block === undefined || !this.isOwn(block)) continue;
      const free = countFree(this.thawed(block), reserved) - (this.#promised.get(cidr) ?? 0);
      stock.push({ cidr, free, isIdle: this.#isIdle(block) && !this.#promised.has(cidr) });
    }
    return stock;
  }

  /** Gets the node another block where its own are nearly full, unless few are left for other nodes. */
  async claimSpare(request: ClaimRequest, reserved?: Reserved): Promise<SpareResult> {
    const { family, pools, signal } = request;
    await this.list(family, signal);
    return this.#lock.run(
      CLAIM,
      async () => {
        if (!isLow(await this.stock(family, reserved, signal), pools)) return { kind: "enough" };
        const limit = this.#limitOf(request);
        if (limit !== undefined) return { kind: "refused", limit };
        const blocks = await this.#listAll(family, signal);
        if (this.#own[family].size > 0 && !leavesEnough(blocks.keys(), pools)) return { kind: "scarce" };
        const claim = await this.#claimNew(request, blocks);
        return claim.kind === "refused" ? { kind: "refused", limit: claim.limit } : claim;
      },
      signal,
    );
  }

  /** Gives up those of the blocks that are the node's and idle; returns them. */
  async release(cidrs: readonly Cidr[], signal?: AbortSignal): Promise<readonly Cidr[]> {
    for (const family of new Set(cidrs.map(cidrFamily))) await this.list(family, signal);
    return this.#lock.run(
      CLAIM,
      async () => {
        const released: Cidr[] = [];
        for (const cidr of cidrs)
          if (this.#own[cidrFamily(cidr)].has(cidr) && (await this.#releaseIfEmpty(cidr, signal)))
            released.push(cidr);
        return released;
      },
      signal,
    );
  }

  async #load(family: Family, signal?: AbortSignal): Promise<void> {
    if (this.#loaded.has(family)) return;
    const prefix = affinityPrefix(this.#node, family);
    const { entries } = await this.#dependencies.store.list(prefix, waitOptions(signal));
    for (const { key, value } of entries) {
      const cidr = parseAffinityKey(key)?.cidr;
      if (cidr === undefined) continue;
      const affinity = parseAffinity(value);
      if (affinity.kind === "ok" && affinity.value.state === "confirmed") this.#own[family].add(cidr);
      else await this.#claimBlock(cidr, signal);
    }
    this.#loaded.add(family);
  }

  async #claimAny(request: ClaimRequest, reserved?: Reserved): Promise<ClaimResult> {
    const { family, pools, signal } = request;
    const blocks = await this.#listAll(family, signal);
    for (const [cidr, block] of blocks) {
      if (poolOf(pools, cidrAddress(cidr)) === undefined || !this.isOwn(block)) continue;
      if (!this.hasRoom(cidr, reserved)) continue;
      if (this.#own[family].has(cidr) || (await this.#claimBlock(cidr, signal)))
        return { kind: "room", block: cidr };
    }
    const limit = this.#limitOf(request);
    if (limit !== undefined) return { kind: "refused", limit, blocks };
    return this.#claimNew(request, blocks);
  }

  async #claimNew(
    request: ClaimRequest,
    blocks: BlockListing,
  ): Promise<Exclude<ClaimResult, { readonly kind: "room" }>> {
    const { family, signal } = request;
    let isOutdated = false;
    for (const cidr of freeBlocks(request, this.#node, blocks)) {
      if (await this.#claimBlock(cidr, signal)) return { kind: "claimed", block: cidr };
      isOutdated = true;
    }
    // Blocks that others have taken meanwhile may lend addresses.
    return {
      kind: "refused",
      limit: "poolFull",
      blocks: isOutdated ? await this.#listAll(family, signal) : blocks,
    };
  }

  #limitOf({ family, maxBlocks, autoAllocateBlocks = true }: ClaimRequest): Limit | undefined {
    if (!autoAllocateBlocks) return "autoAllocateBlocks";
    const most = maxBlocks === 0 ? DEFAULT_MAX_BLOCKS_PER_HOST : maxBlocks;
    return this.#own[family].size >= most ? "maxBlocksPerHost" : undefined;
  }

  /** Whether the block is the node's now. Each step may find the work of an earlier attempt done. */
  async #claimBlock(cidr: Cidr, signal?: AbortSignal): Promise<boolean> {
    const affinity = this.#affinity(cidr);
    await affinity.update((have) => {
      const isUsable = have?.state === "pending" || have?.state === "confirmed";
      return { value: isUsable ? have : { deleted: false, ...have, state: "pending" }, result: undefined };
    }, signal);
    const cell = this.cell(cidr);
    cell.expectAbsent();
    const nowMs = this.#dependencies.clock.now();
    const isOwn = await cell.update((have) => {
      const block = have ?? newBlock(cidr, { node: this.#node, nowMs });
      return { value: block, result: this.isOwn(block) };
    }, signal);
    const own = this.#own[cidrFamily(cidr)];
    if (isOwn) own.add(cidr);
    else own.delete(cidr);
    await affinity.update(
      (have) => ({ value: isOwn ? confirmed(have) : undefined, result: undefined }),
      signal,
    );
    this.#dependencies.log.info(isOwn ? "claimed block" : "another node has the block", { block: cidr });
    return isOwn;
  }

  async #releaseIfEmpty(cidr: Cidr, signal?: AbortSignal): Promise<boolean> {
    const affinity = this.#affinity(cidr);
    const setState = (state: BlockAffinity["state"]): Promise<undefined> =>
      affinity.update((have) => ({ value: { deleted: false, ...have, state }, result: undefined }), signal);
    if (await this.#isInUse(cidr, signal)) return false;
    // Announced first: from here on nobody routes to the block, and a crash leaves a claim to finish.
    await setState("pendingDeletion");
    const isGone = await this.cell(cidr).update((block) => {
      const keeps = block !== undefined && (!this.#isIdle(block) || !this.isOwn(block));
      return { value: keeps ? block : undefined, result: !keeps };
    }, signal);
    if (!isGone) {
      await this.#claimBlock(cidr, signal);
      return false;
    }
    this.#own[cidrFamily(cidr)].delete(cidr);
    await affinity.update(() => ({ value: undefined, result: undefined }), signal);
    return true;
  }

  /**
   * Whether the block holds an address, or is about to. To say that a block goes is to have every node drop its route, so
   * what looks empty, or was never looked at, is read.
   */
  async #isInUse(cidr: Cidr, signal?: AbortSignal): Promise<boolean> {
    const seen = this.cell(cidr).seen;
    if (seen !== undefined && !this.#isIdle(seen)) return true;
    const block = await this.read(cidr, signal);
    return this.#promised.has(cidr) || (block !== undefined && !this.#isIdle(block));
  }

  /** Whether nobody holds an address of it, or has held one of late. */
  #isIdle(block: IpamBlock): boolean {
    return isEmpty(block) && !isCooling(this.thawed(block));
  }

  #affinity(cidr: Cidr): Cell<BlockAffinity> {
    const cell = new Cell(this.#dependencies.store, affinityKey(this.#node, cidr), AFFINITIES);
    cell.expectAbsent();
    return cell;
  }

  async #listAll(family: Family, signal?: AbortSignal): Promise<BlockListing> {
    const { store, log } = this.#dependencies;
    const { entries } = await store.list(blockPrefix(family), waitOptions(signal));
    return readListing(entries, (cidr, entry) => this.cell(cidr).observe(entry), log);
  }
}

function confirmed(affinity: BlockAffinity | undefined): BlockAffinity {
  return { deleted: false, ...affinity, state: "confirmed" };
}

function waitOptions(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
