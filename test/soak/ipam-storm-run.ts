// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createRandom } from "../../src/system/random.ts";
import { openEtcdStore } from "../../src/datastore/etcd/etcd-store.ts";
import { DatastoreError } from "../../src/datastore/store.ts";
import { makeNode, makePool, makeRequest } from "../../src/ipam/allocator-fixtures.ts";
import { checkIpam, describeFinding } from "../../src/ipam/check.ts";
import { readInventory } from "../../src/ipam/inventory.ts";
import { breakingStore } from "../../src/ipam/store-fakes.ts";
import { type StormAllocator, startStormProcess } from "./ipam-storm-process.ts";

export interface Storm {
  readonly seed: number;
  /** Of the etcd that they share. */
  readonly endpoints: readonly string[];
  /** Nodes, each with a connection of its own. */
  readonly allocators: number;
  /** How many of them are processes, which are killed; the connections of the others are cut, at a write of which nobody knows whether it happened. */
  readonly processes: number;
  /** Assignments at the least, and as many releases. */
  readonly assignments: number;
  /** How often at the least a process is killed, and a connection cut. */
  readonly faults: number;
}

export interface StormReport {
  readonly assigned: number;
  readonly released: number;
  /** How often a process was killed, and how often a connection was cut, in the midst of something. */
  readonly kills: number;
  readonly cuts: number;
}

/** Fewer blocks than nodes, so that they contend and borrow. */
const POOL = makePool("storm", "10.1.0.0/22", 27);
/** What a node holds at most, so that the pool is enough for all. */
const MOST_HELD = 12;
/** A node's connection lasts for so many writes at most, and its process for so many requests. */
const MAX_WRITES = 200;
const MAX_REQUESTS = 60;

/**
 * Has nodes take and give back addresses all at once, each of them killed or cut off in the midst of it now and then, after which it starts anew and knows nothing but the store. No address may be held twice at any time, and in
 * the end, when all is given back, nothing may be left.
 */
export async function ipamStorm(storm: Storm): Promise<StormReport> {
  const held = new Map<string, string>();
  const counts = { assigned: 0, released: 0, kills: 0, cuts: 0 };
  // Processes that are slow to start are in the midst of nothing for a while.
  const isOver = (): boolean => {
    const { assigned, kills, cuts } = counts;
    return assigned >= storm.assignments && kills >= storm.faults && cuts >= storm.faults;
  };
  const work = async (number: number): Promise<void> => {
    const node = new StormNode({ number, storm, held, counts });
    while (!isOver()) await node.step();
    await node.releaseAll();
  };
  await Promise.all(Array.from({ length: storm.allocators }, (_, number) => work(number)));
  await using store = openEtcdStore({ endpoints: storm.endpoints });
  assert.deepEqual(checkIpam(await readInventory(store)).map(describeFinding), []);
  assert.equal(held.size, 0);
  return counts;
}

interface StormContext {
  readonly number: number;
  readonly storm: Storm;
  /** address -> who holds it */
  readonly held: Map<string, string>;
  readonly counts: { assigned: number; released: number; kills: number; cuts: number };
}

class StormNode {
  readonly #context: StormContext;
  readonly #name: string;
  readonly #random: () => number;
  readonly #own: string[] = [];
  #allocator: StormAllocator | undefined;
  #next = 0;

  constructor(context: StormContext) {
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
  async #until<T>(act: (allocator: StormAllocator) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act((this.#allocator ??= this.#start()));
      } catch (error) {
        if (!(error instanceof DatastoreError)) throw error;
        this.#context.counts[this.#isProcess ? "kills" : "cuts"]++;
        await this.#close();
      }
    }
  }

  get #isProcess(): boolean {
    return this.#context.number < this.#context.storm.processes;
  }

  #start(): StormAllocator {
    const { endpoints } = this.#context.storm;
    if (this.#isProcess) {
      const killAt = Math.floor(this.#random() * MAX_REQUESTS);
      return startStormProcess({ name: this.#name, endpoints }, killAt, this.#random);
    }
    const store = openEtcdStore({ endpoints });
    const how = this.#random() < 0.5 ? "lost" : "unanswered";
    const cut = breakingStore(store, Math.floor(this.#random() * MAX_WRITES), how);
    const allocator = makeNode(cut, this.#name);
    return {
      assign: (request) => allocator.assign(request),
      releaseByHandle: (handleId) => allocator.releaseByHandle(handleId),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  async #close(): Promise<void> {
    await this.#allocator?.[Symbol.asyncDispose]();
    this.#allocator = undefined;
  }
}
