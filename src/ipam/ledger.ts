// SPDX-License-Identifier: Apache-2.0
import type { Cidr } from "../net/cidr.ts";
import type { Store } from "../datastore/store.ts";
import {
  type IpamHandle,
  countInHandle,
  handleBlocks,
  parseHandle,
  renderHandle,
  setInHandle,
} from "../model/ipam-handle.ts";
import { handleKey } from "../model/keys.ts";
import { Cell } from "./cell.ts";

/**
 * The stored handle of one holder. Only the node that the holder lives on writes it, one task at a time, so it can be set
 * to what the blocks say.
 */
export class Ledger {
  readonly #cell: Cell<IpamHandle>;

  constructor(store: Store, handleId: string) {
    this.#cell = new Cell(store, handleKey(handleId), { parse: parseHandle, render: renderHandle });
  }

  /**
   * Opens the handle with an address in `cidr`, in one write where there was none. Where there was one, nothing is
   * written, and the blocks that it names come back.
   */
  async open(cidr: Cidr, signal?: AbortSignal): Promise<readonly Cidr[]> {
    this.#cell.expectAbsent();
    return this.#cell.update<readonly Cidr[]>((have) => {
      const blocks = have === undefined ? [] : handleBlocks(have);
      return { value: blocks.length === 0 ? countInHandle(have, cidr, 1) : have, result: blocks };
    }, signal);
  }

  /** The blocks that the handle names; none where there is no handle. */
  async blocks(signal?: AbortSignal): Promise<readonly Cidr[]> {
    return this.#cell.update(
      (have) => ({ value: have, result: have === undefined ? [] : handleBlocks(have) }),
      signal,
    );
  }

  /** Counts one address more, or less, in the block. */
  async count(cidr: Cidr, by: 1 | -1, signal?: AbortSignal): Promise<void> {
    await this.#cell.update((have) => ({ value: countInHandle(have, cidr, by), result: undefined }), signal);
  }

  /** Sets the counts of these blocks; a handle that names no block any more is deleted. */
  async set(counts: ReadonlyMap<Cidr, number>, signal?: AbortSignal): Promise<void> {
    await this.#cell.update((have) => {
      let value = have !== undefined && handleBlocks(have).length > 0 ? have : undefined;
      for (const [cidr, count] of counts) value = setInHandle(value, cidr, count);
      return { value, result: undefined };
    }, signal);
  }
}
