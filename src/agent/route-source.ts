// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import { renderBirdConfig } from "../bird/config.ts";
import type { RouteSource } from "../desired/facts.ts";
import type { WantedBird } from "../desired/wanted.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Registration } from "./registration.ts";

export interface RouteSourceCollaborators {
  readonly bird: Bird;
  readonly dataplane: Pick<Dataplane, "settled">;
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
const RETRY_MS = 1000;

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

  const isOver = (): boolean => abort.signal.aborted;

  const run = async (): Promise<void> => {
    isRunning = true;
    while (isStale && !isOver()) {
      isStale = false;
      outdated = new AbortController();
      try {
        await settle(collaborators, options, AbortSignal.any([abort.signal, outdated.signal]));
        trouble = undefined;
        options.onChange();
      } catch (error) {
        if (outdated.signal.aborted || isOver()) continue;
        trouble = error instanceof Error ? error.message : String(error);
        log.warn("Cannot bring BIRD to what is wanted", { error });
        isStale = true;
        options.onChange();
        await clock.sleep(RETRY_MS, { signal: abort.signal }).catch(() => undefined);
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

async function settle(
  { bird, dataplane, registration }: RouteSourceCollaborators,
  { nodeName, birdLogFile, wanted: read }: RouteSourceOptions,
  signal: AbortSignal,
): Promise<void> {
  const wanted = read();
  const source: RouteSource = wanted?.programKernel === true ? "bird" : "datastore";
  // Others stop announcing to a node that does not rely on it, so this is said before BIRD is relied on, and taken back after.
  if (source === "bird") await registration.announceRouteSource(source);
  else await dataplane.settled({ signal });
  if (wanted !== undefined) await configure(bird, nodeName, birdLogFile, wanted, signal);
  if (source === "datastore") await registration.announceRouteSource(source);
  if (wanted === undefined) await bird.stop({ signal });
}

async function configure(
  bird: Bird,
  nodeName: string,
  logFile: string,
  wanted: WantedBird,
  signal: AbortSignal,
): Promise<void> {
  const text = renderBirdConfig({
    ...wanted,
    nodeName,
    routerId: wanted.nodeAddress,
    gracefulRestartSeconds: GRACEFUL_RESTART_SECONDS,
    logFile,
  });
  const result = await bird.configure(text, { signal });
  if (result.kind === "refused") throw new Error(`BIRD refuses its configuration: ${result.message}`);
}
