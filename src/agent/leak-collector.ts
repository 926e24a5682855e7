// SPDX-License-Identifier: Apache-2.0
import type { Store } from "../datastore/store.ts";
import { type Holder, isSameHeld } from "../ipam/held.ts";
import { leakedAddresses } from "../ipam/leaks.ts";
import { type SeenAddress, releaseSeenAddresses } from "../ipam/release.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";

export interface LeakCollectorCollaborators {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LeakCollectorOptions {
  /** This node, as it is now. */
  readonly node: () => Holder;
  /** For how long an address is nobody's before it counts, in milliseconds. */
  readonly graceMs: number;
  /** Called when addresses were given back. */
  readonly onAddresses: () => void;
}

/** An ADD that is under way has a record by then, or has failed: calls end well before. */
const LEAST_GRACE_MS = 60_000;
/** As often as Calico looks. */
const MOST_PAUSE_MS = 300_000;

interface Candidate {
  readonly address: SeenAddress;
  /** In milliseconds of the clock. */
  readonly sinceMs: number;
}

/**
 * Gives back the addresses that this node's own containers have left: seen twice at the least, and for as long as `graceMs`, each only
 * if it is still held as it was seen. Nobody else looks at them, so that no agent reads another node's.
 */
export function createLeakCollector(
  { store, clock, log }: LeakCollectorCollaborators,
  { node, graceMs, onAddresses }: LeakCollectorOptions,
): AsyncDisposable & { start(): void } {
  const abort = new AbortController();
  const { signal } = abort;
  const waitMs = Math.max(graceMs, LEAST_GRACE_MS);
  const pauseMs = Math.min(waitMs / 3, MOST_PAUSE_MS);
  const isOver = (): boolean => signal.aborted;
  let running: Promise<void> = Promise.resolve();

  const look = async (candidates: readonly Candidate[]): Promise<readonly Candidate[]> => {
    const leaked = await leakedAddresses(store, node(), { signal });
    const nowMs = clock.now();
    const seen = leaked.map((address) => ({
      address,
      sinceMs: candidates.find((one) => isSameHeld(one.address, address))?.sinceMs ?? nowMs,
    }));
    const ripe = seen.filter(({ sinceMs }) => nowMs - sinceMs >= waitMs);
    const addresses = ripe.map(({ address }) => address);
    const released = await releaseSeenAddresses(store, addresses, { signal });
    if (released.length > 0) {
      log.warn("Gave back addresses that nobody used", { released });
      onAddresses();
    }
    return seen.filter((one) => !ripe.includes(one));
  };
  const run = async (): Promise<void> => {
    let candidates: readonly Candidate[] = [];
    while (!isOver()) {
      try {
        await clock.sleep(pauseMs, { signal });
        candidates = await look(candidates);
      } catch (error) {
        if (!isOver()) log.warn("Cannot look for addresses that nobody uses", { error });
      }
    }
  };
  return {
    start() {
      running = run();
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await running;
    },
  };
}
