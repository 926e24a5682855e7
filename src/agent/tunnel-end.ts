// SPDX-License-Identifier: Apache-2.0
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { formatIssues } from "../model/issue.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { PoolReview } from "./pool-review.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

/** One kind of tunnel, as far as having an end of it goes. */
export interface TunnelKind<End> {
  /** What people call it, "VXLAN". */
  readonly name: string;
  /** Its address inside the tunnel is of this family. */
  readonly family: Family;
  /** The handle of the end's address, Calico's. */
  readonly handleId: string;
  /** The attribute `type` of the end's address, Calico's. */
  readonly addressType: string;
  /** What is better done at the start, before packets flow. */
  prepare?(options: Wait): Promise<void>;
  /** Whether the cluster's resources ask for an end on this node now. */
  isWanted(): boolean;
  /** Pools that an end's address may come from. */
  pools(): readonly IPPool[];
  /** What the end is set up from: once that has changed, it is set up anew. Throws where it cannot be had. */
  basis(): string | Promise<string>;
  /** The end that this node's own record tells of, left by an agent before this one. */
  recorded(): End | undefined | Promise<End | undefined>;
  /** The end with this address. */
  endWith(ip: Ip, options: Wait): End | Promise<End>;
  /** Has the end made, or with `undefined` taken away. */
  learn(end: End | undefined): void;
  /** Resolves once the end can be sent to. */
  programmed(end: End, options: Wait): Promise<void>;
  /** Tells the other nodes. */
  record(end: End | undefined, options: Wait): Promise<void>;
  /** Resolves once this node itself sends nothing through the tunnel any more. */
  unused(options: Wait): Promise<void>;
}

interface Wait {
  readonly signal: AbortSignal;
}

export interface TunnelEndCollaborators {
  readonly allocator: Pick<Allocator, "assign" | "releaseByHandle">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TunnelEndOptions {
  readonly nodeName: string;
  readonly limits: () => Limits;
  readonly poolReview: Pick<PoolReview, "issuesOf">;
  readonly onChange: () => void;
}

/** This node's end of one kind of tunnel. */
export interface TunnelEnd extends Settler {
  /** Takes up the end that an earlier agent left. Called before anything is changed: what nobody wants then, goes. */
  restore(options: Wait): Promise<void>;
}

/** How long an end stays for routes of this node that still lead through it, because another node has no other end yet. */
const UNUSED_TIMEOUT_MS = 10_000;
/** How long the other nodes may go on sending through the tunnel after they were told not to. */
const LINGER_MS = 3000;

/**
 * Keeps this node's end of a tunnel as long as it is wanted. Others find it in the Node, and send to it at once: so the end
 * comes before the record, and goes well after it.
 */
export function createTunnelEnd<End>(
  kind: TunnelKind<End>,
  collaborators: TunnelEndCollaborators,
  options: TunnelEndOptions,
): TunnelEnd {
  const { allocator, clock } = collaborators;
  const { handleId } = kind;
  let hasEnd = false;
  /** Whether nothing of an end is left, here and in the datastore. */
  let isDown = false;
  /** What the end was last set up from. */
  let basis: string | undefined;
  const setUp = async ({ signal, wait }: Waiting): Promise<void> => {
    isDown = false;
    const [recorded, next] = [await kind.recorded(), await kind.basis()];
    // Whatever changes in the cluster asks for this: it must cost nothing where the end is as it should be.
    if (hasEnd && basis === next && recorded !== undefined) return;
    const ip = await assign(kind, allocator, options, signal);
    const end = await kind.endWith(ip, { signal });
    kind.learn(end);
    hasEnd = true;
    await kind.programmed(end, { signal: wait });
    await kind.record(end, { signal });
    basis = next;
  };
  const takeDown = async ({ signal, wait }: Waiting): Promise<void> => {
    if (isDown) return;
    if (hasEnd) await unusedAtLast(kind, clock, wait);
    await kind.record(undefined, { signal });
    if (hasEnd) await clock.sleep(LINGER_MS, { signal: wait });
    kind.learn(undefined);
    hasEnd = false;
    await allocator.releaseByHandle(handleId, { signal });
    isDown = true;
  };
  const settler = createSettler(collaborators, {
    what: `set up this node's end of ${kind.name} tunnels`,
    settle: (waiting) => (kind.isWanted() ? setUp(waiting) : takeDown(waiting)),
    onChange: options.onChange,
  });
  return {
    get trouble() {
      return settler.trouble;
    },
    update() {
      settler.update();
    },
    async restore(wait) {
      await kind.prepare?.(wait);
      const end = await kind.recorded();
      if (end === undefined) return;
      kind.learn(end);
      hasEnd = true;
    },
    [Symbol.asyncDispose]: () => settler[Symbol.asyncDispose](),
  };
}

/** Another node may take its time, or never do its part: it is not waited for long. */
async function unusedAtLast<End>(kind: TunnelKind<End>, clock: Clock, wait: AbortSignal): Promise<void> {
  using stop = abortOnDispose();
  const signal = AbortSignal.any([wait, stop.signal]);
  await Promise.race([kind.unused({ signal }), clock.sleep(UNUSED_TIMEOUT_MS, { signal })]);
}

function abortOnDispose(): Disposable & { readonly signal: AbortSignal } {
  const abort = new AbortController();
  return {
    signal: abort.signal,
    [Symbol.dispose]() {
      abort.abort();
    },
  };
}

/** Gives the address that the node has already, if it has one. */
async function assign<End>(
  kind: TunnelKind<End>,
  allocator: Pick<Allocator, "assign">,
  { nodeName, limits, poolReview }: TunnelEndOptions,
  signal: AbortSignal,
): Promise<Ip> {
  const { name, handleId, addressType, family } = kind;
  const usable = kind.pools().filter(({ spec }) => !spec.disabled && spec.allowedUses.includes("Tunnel"));
  if (usable.length === 0)
    throw new Error(`no enabled IPPool that uses ${name} has "Tunnel" among its allowedUses`);
  const pools = usable.filter((pool) => poolReview.issuesOf(pool).length === 0);
  if (pools.length === 0) throw new Error(formatIssues(usable.flatMap((pool) => poolReview.issuesOf(pool))));
  const attributes = { node: nodeName, type: addressType };
  const request = { handleId, attributes, pools, family, ...limits(), signal };
  const result = await allocator.assign(request);
  if (result.kind !== "assigned") throw new Error(result.message);
  return result.address;
}
