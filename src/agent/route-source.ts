// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import { renderBirdConfig } from "../bird/config.ts";
import type { WantedBird } from "../desired/wanted.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Clock } from "../system/clock.ts";
import { type Log, describeError } from "../system/log.ts";
import type { Registration } from "./registration.ts";

export interface RouteSourceCollaborators {
  readonly bird: Bird;
  readonly dataplane: Pick<Dataplane, "remoteRoutesInPlace" | "birdRoutesGone" | "hasBirdRoutes">;
  readonly registration: Pick<Registration, "announceRouteSource">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RouteSourceOptions {
  readonly nodeName: string;
  readonly birdLogFile: string;
  /** What BIRD is to do, as it is now. */
  readonly wanted: () => WantedBird | undefined;
  /** Called when {@link RouteSourceSwitch.trouble} may have changed. */
  readonly onChange: () => void;
}

/**
 * Moves this node between the two sources of routes, make before break. To BIRD: it starts and brings its routes, and each of the
 * agent's own goes when BIRD's to the same destination has come. From BIRD: it withdraws from the kernel only when the agent's own
 * routes are all in place, goes on announcing while another node relies on that, and stops last.
 */
export interface RouteSourceSwitch extends AsyncDisposable {
  /** Called when what BIRD is to do may have changed. */
  update(): void;
  /** Why BIRD is not as it should be, if it is not. */
  readonly trouble: string | undefined;
}

const GRACEFUL_RESTART_SECONDS = 120;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;
/** BIRD takes its routes back at once; one that recovers from a crash first waits for its peers, 15 s at the most. */
const WITHDRAW_TIMEOUT_MS = 30_000;

export function createRouteSourceSwitch(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
): RouteSourceSwitch {
  const { clock, log } = collaborators;
  const abort = new AbortController();
  /** Aborted by each update: what is waited for may no longer be wanted. */
  let outdated = new AbortController();
  let isStale = false;
  let isRunning = false;
  let running: Promise<void> = Promise.resolve();
  let trouble: string | undefined;

  let failures = 0;
  const isOver = (): boolean => abort.signal.aborted;

  const run = async (): Promise<void> => {
    isRunning = true;
    while (isStale && !isOver()) {
      isStale = false;
      outdated = new AbortController();
      const { signal } = abort;
      const wait = AbortSignal.any([signal, outdated.signal]);
      const onWait = (pending: string): void => {
        trouble = `waiting before BIRD is left: ${pending}`;
      };
      try {
        await settle(collaborators, options, { signal, wait, onWait });
        trouble = undefined;
        failures = 0;
        options.onChange();
      } catch (error) {
        if (wait.aborted) continue;
        trouble = describeError(error);
        log.warn("Cannot bring BIRD to what is wanted", { error });
        isStale = true;
        options.onChange();
        const delayMs = Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS);
        await clock.sleep(delayMs, { signal }).catch(() => undefined);
      }
    }
    isRunning = false;
  };

  return {
    get trouble() {
      return trouble;
    },
    update() {
      isStale = true;
      outdated.abort();
      if (!isRunning) running = run();
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await running;
    },
  };
}

interface Waiting {
  /** Ends with the agent: what has been begun with BIRD is finished. */
  readonly signal: AbortSignal;
  /** Ends also when something else is wanted. */
  readonly wait: AbortSignal;
  readonly onWait: (pending: string) => void;
}

async function settle(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
  waiting: Waiting,
): Promise<void> {
  const wanted = options.wanted();
  switch (wanted?.purpose) {
    case undefined:
      // What is not known is not to be acted on: BIRD stays as it is.
      return;
    case "routes":
      await relyOnBird(collaborators, options, wanted, waiting);
      return;
    case "announcing":
    case "none":
      await relyOnDatastore(collaborators, options, wanted, waiting);
      return;
  }
}

/** Others wait for this node's announcements only once there are some, and keep announcing to it from the very start. */
async function relyOnBird(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
  wanted: WantedBird,
  { signal }: Waiting,
): Promise<void> {
  const { registration } = collaborators;
  await registration.announceRouteSource("starting", { signal });
  try {
    await configure(collaborators, options, wanted, signal);
  } catch (error) {
    await registration.announceRouteSource("starting", { signal, isFailed: true });
    throw error;
  }
  await registration.announceRouteSource("bird", { signal });
}

/** BIRD gives up the kernel when every route stands without it, and ends when nobody relies on it. */
async function relyOnDatastore(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
  wanted: WantedBird,
  { signal, wait, onWait }: Waiting,
): Promise<void> {
  const { bird, dataplane, registration } = collaborators;
  await dataplane.remoteRoutesInPlace({ signal: wait, onWait });
  const { poolCidrs } = wanted;
  const isNeeded =
    wanted.purpose === "announcing" || (await bird.adopt({ signal })) || dataplane.hasBirdRoutes(poolCidrs);
  // Also where it has ended: its routes outlive it, and only BIRD itself takes them back.
  if (isNeeded) {
    await configure(collaborators, options, wanted, signal);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(WITHDRAW_TIMEOUT_MS)]);
    await dataplane.birdRoutesGone(poolCidrs, { signal: limit });
  }
  await registration.announceRouteSource("datastore", { signal });
  if (wanted.purpose === "none") await bird.stop({ signal });
}

async function configure(
  { bird }: RouteSourceCollaborators,
  { nodeName, birdLogFile }: RouteSourceOptions,
  wanted: WantedBird,
  signal: AbortSignal,
): Promise<void> {
  const text = renderBirdConfig({
    ...wanted,
    // Without peers there is nobody to wait for, and nobody is told of routes that end.
    peers: wanted.purpose === "none" ? [] : wanted.peers,
    programKernel: wanted.purpose === "routes",
    nodeName,
    routerId: wanted.nodeAddress,
    gracefulRestartSeconds: GRACEFUL_RESTART_SECONDS,
    logFile: birdLogFile,
  });
  const result = await bird.configure(text, { signal });
  if (result.kind === "refused")
    throw new Error(`BIRD refuses its configuration: ${result.message || "it does not say why"}`);
}
