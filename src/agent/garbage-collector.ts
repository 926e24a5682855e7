// SPDX-License-Identifier: Apache-2.0
import type { Store } from "../datastore/store.ts";
import type { Fact } from "../desired/facts.ts";
import { collectNode } from "../ipam/collect.ts";
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
}

/** Between one agent's turn and the next one's: by then it has heard of what the one before has done. */
const TURN_MS = 2000;
const MAX_TURNS = 30;

export function createGarbageCollector(
  { store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log },
  { nodeName, graceMs }: GarbageCollectorOptions,
): GarbageCollector {
  const abort = new AbortController();
  const { signal } = abort;
  const nodes = new Set<string>();
  /** node -> the blocks that it claims */
  const claims = new Map<string, Set<Cidr>>();
  /** Those that are being waited for. */
  const missing = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  let isStarted = false;

  const collect = async (name: string, stop: AbortSignal): Promise<void> => {
    const turn = Math.min([...nodes].filter((other) => other < nodeName).length, MAX_TURNS);
    const isBack = AbortSignal.any([signal, stop]);
    try {
      await clock.sleep(graceMs + turn * TURN_MS, { signal: isBack });
      if (!claims.has(name)) return;
      const { released, endpoints } = await collectNode(store, parseNodeName(name), { signal });
      log.info("Took back what a deleted node held", { node: name, released, endpoints: endpoints.length });
    } catch (error) {
      // Whoever starts next, or has the next turn, tries again.
      if (!isBack.aborted) log.warn("Cannot take back what a deleted node held", { node: name, error });
    }
  };
  const look = (name: string): void => {
    const isMissing = isStarted && !nodes.has(name) && claims.has(name);
    const waiting = missing.get(name);
    if (isMissing && waiting === undefined) {
      const stop = new AbortController();
      const done = collect(name, stop.signal).finally(() => missing.delete(name));
      missing.set(name, { stop, done });
    } else if (!isMissing) waiting?.stop.abort();
  };
  const noteOne = (fact: Fact): string | undefined => {
    if (fact.kind === "node") {
      if (fact.value === undefined) nodes.delete(fact.name);
      else nodes.add(fact.name);
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
