// SPDX-License-Identifier: Apache-2.0
import type { Store } from "../datastore/store.ts";
import type { Fact } from "../desired/facts.ts";
import { collectNode } from "../ipam/collect.ts";
import { type Holder, addressesHeldBy } from "../ipam/held.ts";
import { type NodeName, parseNodeName } from "../model/name.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";

/**
 * Takes back the addresses of nodes whose Node resource is gone, a while after that was seen. Every agent sees it; the first by name acts first, and the others
 * find nothing left to do, or act in its place.
 */
export interface GarbageCollector extends AsyncDisposable {
  /** Takes in what has become known of nodes and their claims; nothing is done before {@link start}. */
  note(facts: readonly Fact[]): void;
  /** Called once everything has been read. */
  start(): void;
}

export interface GarbageCollectorOptions {
  readonly nodeName: NodeName;
  /** How long a node is gone before it counts. */
  readonly graceMs: number;
  /** The blocks that are a node's, and those that it has borrowed from, as far as is known. */
  readonly blocksOf: (name: NodeName) => readonly Cidr[];
}

/** Between one agent's turn and the next one's: by then the one before is through, and the next has heard of it. */
const TURN_MS = 60_000;
const MAX_TURNS = 30;
/** Before what failed is tried again. */
const RETRY_MS = 30_000;

export function createGarbageCollector(
  { store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log },
  { nodeName, graceMs, blocksOf }: GarbageCollectorOptions,
): GarbageCollector {
  const abort = new AbortController();
  const { signal } = abort;
  const nodes = new Set<string>();
  /** node -> the blocks that it claims */
  const claims = new Map<string, Set<Cidr>>();
  /** Nodes that were there, and what they held was not looked for yet. */
  const deleted = new Set<string>();
  /** Those that are being waited for. */
  const missing = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  let isStarted = false;

  const collect = async (name: string, stop: AbortSignal): Promise<void> => {
    const turn = Math.min([...nodes].filter((other) => other < nodeName).length, MAX_TURNS);
    const isBack = AbortSignal.any([signal, stop]);
    let delayMs = turn * TURN_MS;
    while (!isAborted(isBack)) {
      try {
        if (delayMs > 0) await clock.sleep(delayMs, { signal: isBack });
        // Who has no claim may have borrowed; that is the first one's to find out.
        if (!claims.has(name) && turn > 0) return;
        if (await collectOnce(parseNodeName(name), isBack)) return;
        delayMs = 0;
      } catch (error) {
        if (!isAborted(isBack)) log.warn("Cannot take back what a deleted node held", { node: name, error });
        delayMs = RETRY_MS;
      }
    }
  };
  /** Looks twice, a while apart; whether there is nothing left to do. */
  const collectOnce = async (name: NodeName, isBack: AbortSignal): Promise<boolean> => {
    const holder = (): Holder => ({ name, borrowedFrom: blocksOf(name) });
    const before = await addressesHeldBy(store, holder(), { signal: isBack });
    await clock.sleep(graceMs, { signal: isBack });
    const collected = await collectNode(store, holder(), before, { signal: isBack });
    switch (collected.kind) {
      case "alive":
        return true;
      case "changed":
        log.warn("Somebody takes addresses for a node that is deleted", { node: name });
        return false;
      case "collected": {
        const { released, endpoints } = collected;
        log.info("Took back what a deleted node held", { node: name, released, endpoints: endpoints.length });
        return true;
      }
    }
  };
  const look = (name: string): void => {
    const waiting = missing.get(name);
    if (nodes.has(name)) {
      missing.delete(name);
      waiting?.stop.abort();
      return;
    }
    const isGone = claims.has(name) || deleted.has(name);
    if (!isStarted || !isGone || waiting !== undefined) return;
    const stop = new AbortController();
    const own = { stop, done: collect(name, stop.signal) };
    missing.set(name, own);
    void own.done.then(() => {
      deleted.delete(name);
      if (missing.get(name) === own) missing.delete(name);
    });
  };
  const noteOne = (fact: Fact): string | undefined => {
    if (fact.kind === "node") {
      if (fact.value !== undefined) nodes.add(fact.name);
      else if (nodes.delete(fact.name)) deleted.add(fact.name);
      return fact.name;
    }
    if (fact.kind !== "affinity") return undefined;
    const own = claims.get(fact.node) ?? new Set();
    if (fact.value === undefined) own.delete(fact.cidr);
    else own.add(fact.cidr);
    if (own.size === 0) claims.delete(fact.node);
    else claims.set(fact.node, own);
    return fact.node;
  };
  return {
    note(facts) {
      const names = new Set(facts.flatMap((fact) => noteOne(fact) ?? []));
      for (const name of names) look(name);
    },
    start() {
      isStarted = true;
      for (const name of claims.keys()) look(name);
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await Promise.all(Array.from(missing.values(), ({ done }) => done));
    },
  };
}

/** Asked through a function, since the compiler believes that a signal once found unaborted stays so. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
