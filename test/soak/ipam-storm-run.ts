// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createRandom } from "../../src/datastore/random.ts";
import { DatastoreError, type Store } from "../../src/datastore/store.ts";
import { makeNode, makePool, makeRequest } from "../../src/ipam/allocator-fixtures.ts";
import type { Allocator } from "../../src/ipam/allocator.ts";
import { checkIpam, describeFinding } from "../../src/ipam/check.ts";
import { readInventory } from "../../src/ipam/inventory.ts";
import { breakingStore } from "../../src/ipam/store-fakes.ts";

export interface Storm {
  readonly seed: number;
  /** Nodes, each with a connection of its own. */
  readonly allocators: number;
  /** Assignments, and as many releases. */
  readonly assignments: number;
}

export interface StormReport {
  readonly assigned: number;
  readonly released: number;
  /** How often a node was cut off in the midst of something. */
  readonly kills: number;
}

/** Fewer blocks than nodes, so that they contend and borrow. */
const POOL = makePool("storm", "10.1.0.0/22", 27);
/** What a node holds at most, so that the pool is enough for all. */
const MOST_HELD = 12;
/** A node's connection lasts for so many writes at most. */
const MAX_WRITES = 200;

/**
 * Has nodes take and give back addresses all at once, each of them cut off in the midst of a write now and then, after which it starts anew and knows nothing but the store. No address may be held twice at any time, and in
 * the end, when all is given back, nothing may be left.
 */
export async function ipamStorm(openStore: () => Store, storm: Storm): Promise<StormReport> {
  const held = new Map<string, string>();
  const counts = { assigned: 0, released: 0, kills: 0 };
  const work = async (number: number): Promise<void> => {
    const node = new StormNode(openStore, { number, storm, held, counts });
    while (counts.assigned < storm.assignments) await node.step();
    await node.releaseAll();
  };
  await Promise.all(Array.from({ length: storm.allocators }, (_, number) => work(number)));
  await using store = openStore();
  assert.deepEqual(checkIpam(await readInventory(store)).map(describeFinding), []);
  assert.equal(held.size, 0);
  return counts;
}

interface StormContext {
  readonly number: number;
  readonly storm: Storm;
  /** address -> who holds it */
  readonly held: Map<string, string>;
  readonly counts: { assigned: number; released: number; kills: number };
}

class StormNode {
  readonly #openStore: () => Store;
  readonly #context: StormContext;
  readonly #name: string;
  readonly #random: () => number;
  readonly #own: string[] = [];
  #connection: { readonly store: Store; readonly allocator: Allocator } | undefined;
  #next = 0;

  constructor(openStore: () => Store, context: StormContext) {
    this.#openStore = openStore;
    this.#context = context;
    this.#name = `node${context.number}`;
    this.#random = createRandom(context.storm.seed * 1000 + context.number + 1);
  }

  async step(): Promise<void> {
    const takes = this.#own.length === 0 || (this.#own.length < MOST_HELD && this.#random() < 0.5);
    if (takes) await this.#assign(`${this.#name}-${this.#next++}`);
    else await this.#release(Math.floor(this.#random() * this.#own.length));
  }

  async releaseAll(): Promise<void> {
    while (this.#own.length > 0) await this.#release(0);
    await this.#close();
  }

  async #assign(container: string): Promise<void> {
    const attributes = { node: this.#name, network: "net", containerID: container, interface: "eth0" };
    const request = makeRequest(container, [POOL], { attributes, strictAffinity: false });
    const result = await this.#until((allocator) => allocator.assign(request));
    assert.ok(result.kind === "assigned", JSON.stringify(result));
    const { held, counts } = this.#context;
    const other = held.get(result.address);
    assert.equal(other, undefined, `${result.address} is given to ${container}, and ${other ?? ""} has it`);
    held.set(result.address, container);
    this.#own.push(container);
    counts.assigned++;
  }

  async #release(index: number): Promise<void> {
    const [container = ""] = this.#own.splice(index, 1);
    const { held, counts } = this.#context;
    // Before: once it is free in the store, somebody else may have it at any moment.
    for (const [ip, holder] of held) if (holder === container) held.delete(ip);
    await this.#until((allocator) => allocator.releaseByHandle(`net.${container}`));
    counts.released++;
  }

  /** Tries again with another connection when one is cut: what was begun is completed by doing it again. */
  async #until<T>(act: (allocator: Allocator) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act((this.#connection ??= this.#connect()).allocator);
      } catch (error) {
        if (!(error instanceof DatastoreError)) throw error;
        this.#context.counts.kills++;
        await this.#close();
      }
    }
  }

  #connect(): { readonly store: Store; readonly allocator: Allocator } {
    const store = this.#openStore();
    const how = this.#random() < 0.5 ? "lost" : "unanswered";
    const cut = breakingStore(store, Math.floor(this.#random() * MAX_WRITES), how);
    return { store, allocator: makeNode(cut, this.#name) };
  }

  async #close(): Promise<void> {
    await this.#connection?.store[Symbol.asyncDispose]();
    this.#connection = undefined;
  }
}
