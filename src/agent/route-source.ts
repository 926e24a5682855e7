// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import { type BirdInput, interruptedSessions } from "../bird/config/config.ts";
import type { WantedBird } from "../desired/wanted.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { configureBird } from "./bird-configuration.ts";
import type { BirdSecrets } from "./bird-secrets.ts";
import type { Registration } from "./registration.ts";
import type { RouteHold } from "./route-hold.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

export interface RouteSourceCollaborators {
  readonly bird: Bird;
  readonly dataplane: Pick<Dataplane, "remoteRoutesInPlace" | "birdRoutesGone" | "hasBirdRoutes">;
  readonly registration: Pick<Registration, "announceRouteSource">;
  readonly secrets: Pick<BirdSecrets, "resolve">;
  readonly routeHold: Pick<RouteHold, "begin" | "endWith">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RouteSourceOptions {
  readonly nodeName: string;
  readonly birdLogFile: string;
  /** What BIRD is to do, as it is now. */
  readonly wanted: () => WantedBird | undefined;
  /** Whether every block inside the prefixes has a route from the datastore. */
  readonly isRoutable: (cidrs: readonly Cidr[]) => boolean;
  /** Whether the address is a node's. */
  readonly isNode: (address: Ip) => boolean;
  /** Called when {@link RouteSourceSwitch.trouble} may have changed. */
  readonly onChange: () => void;
}

/**
 * Moves this node between the two sources of routes, make before break. To BIRD: it starts and brings its routes, and each of the
 * agent's own goes when BIRD's to the same destination has come. From BIRD: it withdraws from the kernel only when the agent's own
 * routes are all in place, goes on announcing while another node relies on that, and stops last.
 */
export interface RouteSourceSwitch extends Settler {
  /** What BIRD refuses of what is wanted, and runs without; in words. */
  readonly refusals: readonly string[];
}

/** How long BIRD goes on for a pool that turns to a tunnel of which some node has no end. */
const TUNNEL_TIMEOUT_MS = 10_000;
/** BIRD takes its routes back at once; one that recovers from a crash first waits for its peers, 15 s at the most. */
const WITHDRAW_TIMEOUT_MS = 30_000;

export function createRouteSourceSwitch(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
): RouteSourceSwitch {
  /** The pools that BIRD brings routes of. */
  let served: readonly Cidr[] = [];
  const configuration: Configuration = { current: undefined, refusals: [] };
  const settler = createSettler(collaborators, {
    what: "bring BIRD to what is wanted",
    async settle(waiting) {
      const wanted = options.wanted();
      if (wanted === undefined) return;
      const leaving = served.filter((cidr) => !wanted.kernelCidrs.includes(cidr));
      await untilRoutable(collaborators, options, leaving, waiting);
      await settle(collaborators, options, wanted, { ...waiting, configuration });
      served = wanted.kernelCidrs;
    },
    onChange: options.onChange,
  });
  return {
    get trouble() {
      return settler.trouble;
    },
    get refusals() {
      return configuration.refusals;
    },
    update() {
      settler.update();
    },
    [Symbol.asyncDispose]: () => settler[Symbol.asyncDispose](),
  };
}

/** What BIRD was given last, as far as this process knows. */
interface Configuration {
  current: BirdInput | undefined;
  /** What BIRD refused of it, in words. */
  refusals: readonly string[];
}

type Settling = Waiting & { readonly configuration: Configuration };

/** A pool that turns to a tunnel of the agent's keeps BIRD's routes until its own are in place; a node without an end of the tunnel is not waited for long. */
async function untilRoutable(
  { clock, dataplane }: RouteSourceCollaborators,
  { isRoutable }: RouteSourceOptions,
  leaving: readonly Cidr[],
  { wait, onWait }: Waiting,
): Promise<void> {
  if (leaving.length === 0) return;
  if (!isRoutable(leaving)) {
    onWait(`other nodes' ends of the tunnel for ${leaving.join(", ")}`);
    // Every end that comes is an update, which starts this anew.
    await clock.sleep(TUNNEL_TIMEOUT_MS, { signal: wait });
  }
  await dataplane.remoteRoutesInPlace({ signal: wait, onWait });
}

async function settle(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
  wanted: WantedBird,
  waiting: Settling,
): Promise<void> {
  switch (wanted.purpose) {
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
  settling: Settling,
): Promise<void> {
  const { signal } = settling;
  const { registration } = collaborators;
  await registration.announceRouteSource("starting", { signal });
  try {
    await configure(collaborators, options, wanted, settling);
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
  settling: Settling,
): Promise<void> {
  const { signal, wait, onWait } = settling;
  const { bird, dataplane, registration } = collaborators;
  await dataplane.remoteRoutesInPlace({ signal: wait, onWait });
  const { poolCidrs } = wanted;
  const isNeeded =
    wanted.purpose === "announcing" || (await bird.adopt({ signal })) || dataplane.hasBirdRoutes(poolCidrs);
  // Also where it has ended: its routes outlive it, and only BIRD itself takes them back.
  if (isNeeded) {
    await configure(collaborators, options, wanted, settling);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(WITHDRAW_TIMEOUT_MS)]);
    await dataplane.birdRoutesGone(poolCidrs, { signal: limit });
  }
  await registration.announceRouteSource("datastore", { signal });
  if (wanted.purpose === "none") await bird.stop({ signal });
}

async function configure(
  collaborators: RouteSourceCollaborators,
  options: RouteSourceOptions,
  wanted: WantedBird,
  { signal, configuration }: Settling,
): Promise<void> {
  const { bird, routeHold } = collaborators;
  const input = await birdInput(collaborators, options, wanted);
  const interrupted = interruptedNodes(configuration.current, input, options);
  if (interrupted.length > 0) await routeHold.begin({ signal });
  try {
    configuration.refusals = await configureBird(bird, input, signal);
    configuration.current = input;
  } finally {
    if (interrupted.length > 0) routeHold.endWith(interrupted);
  }
}

async function birdInput(
  { secrets }: RouteSourceCollaborators,
  { nodeName, birdLogFile }: RouteSourceOptions,
  wanted: WantedBird,
): Promise<BirdInput> {
  // Without peers there is nobody to wait for, and nobody is told of routes that end.
  const spoken = wanted.purpose === "none" ? { ...wanted, peers: [], sessions: [] } : wanted;
  return {
    ...spoken,
    ...(await secrets.resolve(spoken)),
    programKernel: wanted.purpose === "routes",
    nodeName,
    routerId: wanted.nodeAddress,
    logFile: birdLogFile,
  };
}

/** Nodes whose routes BIRD may withdraw for the time that a session takes to begin anew. */
function interruptedNodes(
  before: BirdInput | undefined,
  after: BirdInput,
  { isNode }: RouteSourceOptions,
): readonly Ip[] {
  if (before?.programKernel !== true || !after.programKernel) return [];
  try {
    return interruptedSessions(before, after).filter(isNode);
  } catch {
    // A session that cannot be rendered is left out, which is told of then.
    return [];
  }
}
