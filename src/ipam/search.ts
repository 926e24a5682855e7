// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { IpamBlock } from "../model/ipam-block.ts";
import { poolOf, poolsOfFamily } from "../model/pools.ts";
import { type AssignRequest, isSameAttachment } from "./assignment.ts";
import {
  type Allocation,
  type Reserved,
  allocationOf,
  allocationsOf,
  assignIp,
  assignNext,
} from "./block.ts";
import type { Ledger } from "./ledger.ts";
import type { ClaimRequest, NodeBlocks } from "./node-blocks.ts";

/** What came of trying one block. */
export type Attempt =
  | { readonly kind: "assigned"; readonly address: Ip; readonly block: Cidr }
  /** `by` holds the address that was asked for, if one was. */
  | { readonly kind: "full"; readonly by: Allocation | undefined }
  | { readonly kind: "absent" }
  /** The block is not the node's, and only those count. */
  | { readonly kind: "foreign" };

type Pick = (block: IpamBlock) => { readonly block: IpamBlock; readonly ip: Ip } | undefined;

/** One address being looked for, block by block. */
export class Search {
  readonly request: AssignRequest;
  /** The request's pools of its family. */
  readonly pools: readonly IPPool[];
  readonly reserved: Reserved | undefined;
  readonly #blocks: NodeBlocks;
  readonly #ledger: Ledger;
  #isOpen = false;

  constructor(blocks: NodeBlocks, ledger: Ledger, request: AssignRequest) {
    this.request = request;
    this.pools = poolsOfFamily(request.pools, request.family);
    this.reserved = reservedBy(request.reservations);
    this.#blocks = blocks;
    this.#ledger = ledger;
  }

  /** What to claim when no block has room. */
  get claim(): ClaimRequest {
    return { ...this.request, pools: this.pools };
  }

  /** Tries for any address of the block. */
  async tryNext(cidr: Cidr, ownOnly: boolean): Promise<Attempt> {
    return this.#try(cidr, ownOnly, (block) =>
      assignNext(this.#blocks.thawed(block), this.request, this.reserved),
    );
  }

  /** Tries for one address of the block. */
  async tryExactly(cidr: Cidr, ip: Ip): Promise<Attempt> {
    return this.#try(cidr, this.request.strictAffinity, (block) => {
      const next = assignIp(block, ip, this.request);
      return next && { block: next, ip };
    });
  }

  /** The handle is written before the block, so that no address is ever held without a handle that leads to it. */
  async #try(cidr: Cidr, ownOnly: boolean, pick: Pick): Promise<Attempt> {
    const { ip, signal } = this.request;
    const attempt = await this.#blocks.promise(cidr, async (): Promise<Attempt> => {
      const held = await this.#enter(cidr);
      if (held !== undefined) return held;
      return this.#blocks.cell(cidr).update<Attempt>((block) => {
        if (block === undefined) return { value: block, result: { kind: "absent" } };
        if (ownOnly && !this.#blocks.isOwn(block)) return { value: block, result: { kind: "foreign" } };
        const made = pick(block);
        if (made !== undefined)
          return { value: made.block, result: { kind: "assigned", address: made.ip, block: cidr } };
        const by = ip === undefined ? undefined : allocationOf(block, ip);
        return { value: block, result: { kind: "full", by } };
      }, signal);
    });
    if (attempt.kind !== "assigned") await this.#ledger.count(cidr, -1, signal);
    return attempt;
  }

  /**
   * Counts the address in the handle. A handle that is there already is of an earlier attempt, or of another attachment:
   * it is made to agree with the blocks, and an address that this attachment holds is found again.
   */
  async #enter(cidr: Cidr): Promise<Attempt | undefined> {
    const { signal } = this.request;
    if (this.#isOpen) {
      await this.#ledger.count(cidr, 1, signal);
      return undefined;
    }
    const named = await this.#ledger.open(cidr, signal);
    this.#isOpen = true;
    if (named.length === 0) return undefined;
    const counts = new Map<Cidr, number>();
    let found: Attempt | undefined;
    for (const block of named) {
      const held = await this.#heldIn(block);
      counts.set(block, held.length);
      const same = held.find((allocation) => this.#isWanted(allocation));
      if (same !== undefined) found = { kind: "assigned", address: same.ip, block };
    }
    if (found === undefined) counts.set(cidr, (counts.get(cidr) ?? 0) + 1);
    await this.#ledger.set(counts, signal);
    return found;
  }

  async #heldIn(cidr: Cidr): Promise<readonly Allocation[]> {
    const { handleId, signal } = this.request;
    const block = await this.#blocks.read(cidr, signal);
    return block === undefined
      ? []
      : allocationsOf(block).filter((allocation) => allocation.handleId === handleId);
  }

  #isWanted({ ip, attributes }: Allocation): boolean {
    if (!isSameAttachment(attributes, this.request.attributes)) return false;
    return poolOf(this.pools, ip) !== undefined && (this.request.ip === undefined || this.request.ip === ip);
  }
}

/** The test for reserved addresses; `undefined` where there are none, which saves looking. */
export function reservedBy(reservations: readonly Cidr[] = []): Reserved | undefined {
  if (reservations.length === 0) return undefined;
  return (ip) => reservations.some((cidr) => cidrContainsIp(cidr, ip));
}
