// SPDX-License-Identifier: Apache-2.0
import { type EchoSocket, openEchoSocket } from "../dataplane/probe/echo-socket.ts";
import type { Ip } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";

/** A node, and an address of it on a way that packets of this node take to it. */
export interface WayToNode {
  readonly node: string;
  readonly address: Ip;
}

/** What came of waiting for the other nodes. */
export interface Readiness {
  /** Nodes that answer this node and not the container: they have no route to it yet. */
  readonly late: readonly string[];
  /** Nodes that do not answer at all, and were not waited for. */
  readonly silent: readonly string[];
}

export interface ReadinessOptions {
  /** Runs an action in the container's network namespace. */
  readonly inside: <T>(action: () => T) => T;
  readonly clock: Clock;
  /** Before that time, in milliseconds of the clock, a node's route to the container may be one that is about to go. */
  readonly settledMs: number;
  /** Ends the waiting. */
  readonly deadline: AbortSignal;
}

/** A small packet: it is the way that counts. */
const PACKET_BYTES = 64;
/** How long each question waits for its answer, and with it the pace of asking; the last one is repeated. Milliseconds. */
const PATIENCE_MS = [5, 10, 20, 40, 80, 160, 320] as const;
/** A node that does not answer this node within that time is not waited for. */
const SILENCE_MS = 200;

/**
 * Waits until the other nodes have a route to a container: its echo requests are answered then, and not before. It asks no agent and no datastore, so that nodes of any kind
 * can answer. Rejects with nothing: who is late is told.
 */
export async function awaitPeers(paths: readonly WayToNode[], options: ReadinessOptions): Promise<Readiness> {
  const outcomes = await Promise.all(
    waysTo(paths).map(async ({ node, address }) => ({
      node,
      outcome: await awaitPeer(address, options),
    })),
  );
  const those = (wanted: Outcome): readonly string[] =>
    outcomes.filter(({ outcome }) => outcome === wanted).map(({ node }) => node);
  return { late: those("late"), silent: those("silent") };
}

type Outcome = "routed" | "late" | "silent";

/** One for each node: through the tunnel, where packets to it enter one. */
function waysTo(paths: readonly WayToNode[]): readonly WayToNode[] {
  return Array.from(Map.groupBy(paths, ({ node }) => node).values(), (ways) => ways.at(-1)).filter(
    (way) => way !== undefined,
  );
}

async function awaitPeer(
  address: Ip,
  { inside, clock, settledMs, deadline }: ReadinessOptions,
): Promise<Outcome> {
  using asking = openSocket(() => inside(() => openEchoSocket(address)));
  if (asking === undefined) return "silent";
  let isAlive = false;
  for (let round = 0; !isAborted(deadline); round++) {
    const timeoutMs = PATIENCE_MS[Math.min(round, PATIENCE_MS.length - 1)] ?? SILENCE_MS;
    const isReached = await isAnswered(asking, timeoutMs, deadline);
    const unsettledMs = settledMs - clock.now();
    if (isReached && unsettledMs <= 0) return "routed";
    if (isReached) await pause(unsettledMs, clock, deadline);
    // Asked once only: whoever has answered is waited for.
    isAlive ||= isReached || (await isHeardOf(address, deadline));
    if (!isAlive) return isAborted(deadline) ? "late" : "silent";
  }
  return "late";
}

/** Whether the node answers this one. */
async function isHeardOf(address: Ip, deadline: AbortSignal): Promise<boolean> {
  using socket = openSocket(() => openEchoSocket(address));
  return socket !== undefined && (await isAnswered(socket, SILENCE_MS, deadline));
}

/** `undefined` where no route leads there. */
function openSocket(open: () => EchoSocket): EchoSocket | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}

async function isAnswered(socket: EchoSocket, timeoutMs: number, deadline: AbortSignal): Promise<boolean> {
  try {
    return (await socket.send(PACKET_BYTES, { signal: deadline, timeoutMs })).kind === "answered";
  } catch {
    // The deadline, which is looked at.
    return false;
  }
}

/** Ends early with the deadline, which is looked at. */
async function pause(ms: number, clock: Clock, deadline: AbortSignal): Promise<void> {
  await clock.sleep(ms, { signal: deadline }).catch(() => undefined);
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
