// SPDX-License-Identifier: Apache-2.0
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import { surplusOf } from "../ipam/stock.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { Cidr } from "../net/cidr.ts";
import { FAMILIES, type Family } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

export interface BlockStockCollaborators {
  readonly allocator: Pick<Allocator, "ownBlocks" | "claimSpareBlock" | "releaseBlocks">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BlockStockOptions {
  /** Pools that the node takes addresses of the family from now. */
  readonly pools: (family: Family) => readonly IPPool[];
  readonly limits: () => Limits;
  /** For how long a block is idle before it is given up, in milliseconds: containers that go are often followed by others. */
  readonly idleMs: number;
}

/** A block to give up, and from when on, in milliseconds of the clock. */
interface Surplus {
  readonly cidr: Cidr;
  readonly fromMs: number;
}

/** Before another claim is tried after one that was refused: each reads the blocks of the cluster. */
const REFUSED_MS = 60_000;

/**
 * Keeps the node's stock of blocks: one more is claimed when the last is nearly full, so that other nodes have a route to it
 * before its first container; and what it can do without goes back to the pools.
 */
export function createBlockStock(
  { allocator, clock, log }: BlockStockCollaborators,
  { pools, limits, idleMs }: BlockStockOptions,
): Settler {
  /** block -> since when it is idle, in milliseconds of the clock */
  const idleSince: Record<Family, ReadonlyMap<Cidr, number>> = { 4: new Map(), 6: new Map() };
  const claimsFromMs = { 4: -Infinity, 6: -Infinity };

  const claim = async (family: Family, usable: readonly IPPool[], signal: AbortSignal): Promise<void> => {
    const result = await allocator.claimSpareBlock({ ...limits(), pools: usable, family, signal });
    if (result.kind === "claimed" || result.kind === "enough") return;
    claimsFromMs[family] = clock.now() + REFUSED_MS;
    const reason = result.kind === "scarce" ? "few blocks are left for other nodes" : result.limit;
    log.info("Claimed no block ahead of need", { reason });
  };
  /** The blocks of the family that the node can do without, and when each is to go. */
  const review = async (family: Family, signal: AbortSignal): Promise<readonly Surplus[]> => {
    const usable = pools(family);
    const { reservations } = limits();
    if (clock.now() >= claimsFromMs[family]) await claim(family, usable, signal);
    const blocks = await allocator.ownBlocks(family, { ...(reservations && { reservations }), signal });
    const nowMs = clock.now();
    const idle = blocks.filter(({ isIdle }) => isIdle);
    const since = new Map(idle.map(({ cidr }) => [cidr, idleSince[family].get(cidr) ?? nowMs]));
    idleSince[family] = since;
    return surplusOf(blocks, usable).map((cidr) => ({ cidr, fromMs: (since.get(cidr) ?? nowMs) + idleMs }));
  };
  const settle = async ({ signal, wait }: Waiting): Promise<void> => {
    for (;;) {
      const surplus: Surplus[] = [];
      for (const family of FAMILIES) surplus.push(...(await review(family, signal)));
      if (surplus.length === 0) return;
      const nowMs = clock.now();
      const ripe = surplus.filter(({ fromMs }) => fromMs <= nowMs).map(({ cidr }) => cidr);
      for (const block of await allocator.releaseBlocks(ripe, { signal }))
        log.info("Gave up block", { block });
      const nextMs = Math.min(...surplus.filter(({ fromMs }) => fromMs > nowMs).map(({ fromMs }) => fromMs));
      if (nextMs === Infinity) return;
      await clock.sleep(nextMs - nowMs, { signal: wait });
    }
  };
  return createSettler(
    { clock, log },
    { what: "keep the stock of blocks", settle, onChange: () => undefined },
  );
}
