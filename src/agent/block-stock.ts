// SPDX-License-Identifier: Apache-2.0
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import { isLow, surplusOf } from "../ipam/stock.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { poolsOfFamily } from "../model/pools.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

export interface BlockStockCollaborators {
  readonly allocator: Pick<Allocator, "ownBlocks" | "claimSpareBlock" | "releaseBlocks">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BlockStockOptions {
  /** Pools that the node takes addresses from now. */
  readonly pools: () => readonly IPPool[];
  readonly limits: () => Limits;
  /** For how long a block is idle before it is given up, in milliseconds: containers that go are often followed by others. */
  readonly idleMs: number;
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
  let idleSince: ReadonlyMap<Cidr, number> = new Map();
  let claimsFromMs = -Infinity;

  const claim = async (usable: readonly IPPool[], signal: AbortSignal): Promise<void> => {
    const result = await allocator.claimSpareBlock({ ...limits(), pools: usable, family: 4, signal });
    if (result.kind === "claimed") return;
    claimsFromMs = clock.now() + REFUSED_MS;
    const reason = result.kind === "scarce" ? "few blocks are left for other nodes" : result.limit;
    log.info("Claimed no block ahead of need", { reason });
  };
  const settle = async ({ signal, wait }: Waiting): Promise<void> => {
    for (;;) {
      const usable = poolsOfFamily(pools(), 4);
      const { reservations } = limits();
      const look = (): ReturnType<typeof allocator.ownBlocks> =>
        allocator.ownBlocks(4, { ...(reservations && { reservations }), signal });
      if (isLow(await look(), usable) && clock.now() >= claimsFromMs) await claim(usable, signal);
      const blocks = await look();
      const nowMs = clock.now();
      idleSince = new Map(
        blocks.filter(({ isIdle }) => isIdle).map(({ cidr }) => [cidr, idleSince.get(cidr) ?? nowMs]),
      );
      const surplus = surplusOf(blocks, usable).map(
        (cidr) => [cidr, (idleSince.get(cidr) ?? nowMs) + idleMs] as const,
      );
      if (surplus.length === 0) return;
      const ripe = surplus.filter(([, fromMs]) => fromMs <= nowMs).map(([cidr]) => cidr);
      for (const block of await allocator.releaseBlocks(ripe, { signal }))
        log.info("Gave up block", { block });
      const nextMs = Math.min(...surplus.filter(([, fromMs]) => fromMs > nowMs).map(([, fromMs]) => fromMs));
      if (nextMs === Infinity) return;
      await clock.sleep(nextMs - nowMs, { signal: wait });
    }
  };
  return createSettler(
    { clock, log },
    { what: "keep the stock of blocks", settle, onChange: () => undefined },
  );
}
