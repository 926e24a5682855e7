// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Ip } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import type { Log } from "../system/log.ts";

/**
 * Has the agent's routes stand beside BIRD's while sessions with other nodes begin anew, which withdraws what they have brought: a new
 * password or another mesh costs no packet.
 */
export interface RouteHold extends AsyncDisposable {
  /** Resolves when BIRD may end sessions, here and on the nodes that hear of the same change. */
  begin(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Leaves the routes to BIRD again once the sessions are established, those that still can be, and by themselves after a while. */
  endWith(peers: readonly Ip[]): void;
}

export interface RouteHoldCollaborators {
  readonly bird: Pick<Bird, "status" | "onChange">;
  readonly dataplane: Pick<Dataplane, "holdForBird" | "releaseToBird" | "remoteRoutesInPlace">;
  readonly clock: Clock;
  readonly log: Log;
}

/** A route that cannot be placed, for want of a device say, is not waited for any longer. */
const PLACE_TIMEOUT_MS = 2000;
/** Until then the other nodes have heard of the change, and have their routes in place. */
const NOTICE_MS = 1000;
/** Others may be later, and end a session that has just begun. */
const LEAST_MS = 5000;
/** What has not come back by then is what BIRD has to say. */
const MOST_MS = 60_000;

export function createRouteHold({ bird, dataplane, clock, log }: RouteHoldCollaborators): RouteHold {
  const lifetime = new AbortController();
  const conditions = new Conditions();
  const stopListening = bird.onChange(() => {
    conditions.check();
  });
  let ending = new AbortController();
  let ended: Promise<void> = Promise.resolve();

  const areBack = (peers: readonly Ip[]): boolean => {
    const status = bird.status();
    if (status.kind !== "running" || status.recovering) return false;
    // One that the new configuration has no more does not come back.
    const awaited = status.sessions.filter(({ peer }) => peers.includes(peer));
    return awaited.every(({ state }) => state === "Established");
  };
  const end = async (peers: readonly Ip[], signal: AbortSignal): Promise<void> => {
    const sleeping = new AbortController();
    const either = AbortSignal.any([signal, sleeping.signal]);
    try {
      await clock.sleep(LEAST_MS, { signal });
      await Promise.race([
        conditions.until(() => areBack(peers), either),
        clock.sleep(MOST_MS - LEAST_MS, { signal: either }),
      ]);
      dataplane.releaseToBird();
      log.info("Left the routes to BIRD again");
    } catch (error) {
      // Another hold has begun, or the agent ends: the routes stay.
      if (!signal.aborted) throw error;
    } finally {
      sleeping.abort();
    }
  };
  return {
    async begin({ signal }) {
      ending.abort();
      await ended;
      log.info("Holding the routes for BIRD: sessions begin anew");
      dataplane.holdForBird();
      const limit = AbortSignal.any([signal, AbortSignal.timeout(PLACE_TIMEOUT_MS)]);
      await dataplane.remoteRoutesInPlace({ signal: limit, onWait: () => undefined }).catch(() => undefined);
      await clock.sleep(NOTICE_MS, { signal });
    },
    endWith(peers) {
      ending = new AbortController();
      ended = end(peers, AbortSignal.any([lifetime.signal, ending.signal]));
    },
    async [Symbol.asyncDispose]() {
      lifetime.abort();
      stopListening();
      await ended;
    },
  };
}
