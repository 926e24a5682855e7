// SPDX-License-Identifier: Apache-2.0
import { FAMILIES, type Family, type Ip, familyOf } from "../net/ip.ts";
import { Conditions } from "../system/conditions.ts";
import type { Clock } from "../system/clock.ts";
import type { Layout } from "./layout.ts";
import { type Prober, createProbeNonce, openProber } from "./probe.ts";
import type { LabState } from "./state.ts";

/** Who takes part, by an address of each family that it has: a container, or a host that probes its own containers. */
export interface Participant {
  readonly name: string;
  readonly kind: "host" | "container";
  readonly address: Ip;
}

/** One ordered pair, in one family. */
export interface PairResult {
  readonly family: Family;
  readonly from: string;
  readonly to: string;
  /** A probe went there and its answer came back. */
  readonly reachable: boolean;
  /** The address that the receiver saw; null where nothing arrived. */
  readonly source: string | null;
  /** That address is not the sender's. */
  readonly translated: boolean;
}

export interface CheckReport {
  /** Every pair is reachable, and no source was translated. */
  readonly ok: boolean;
  readonly participants: readonly Participant[];
  readonly pairs: readonly PairResult[];
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** How long pairs may take to become reachable. @default 10 s */
  readonly timeoutMs?: number;
}

/** Routes may still be spreading, and a probe may be lost: what was not answered is sent again until the time is over. */
const TIMEOUT_MS = 10_000;
const REPEAT_MS = 250;
/** So many are sent in one go; sockets' receive buffers hold more. */
const BURST = 200;

interface Pair {
  readonly from: Participant;
  readonly to: Participant;
  source: string | null;
  answered: boolean;
}

/**
 * Sends UDP probes between sockets inside the lab's namespaces, for every ordered pair of containers, and from every host
 * to its own containers, in every family of which both have an address.
 */
export async function checkLab(
  { clock }: { readonly clock: Clock },
  layout: Layout,
  state: LabState,
  { signal, timeoutMs = TIMEOUT_MS }: CheckOptions,
): Promise<CheckReport> {
  const { participants, pairs } = planPairs(state);
  const conditions = new Conditions();
  using stack = new DisposableStack();
  const nonce = createProbeNonce();
  const probers = new Map<Participant, Prober>();
  let open = pairs.length;
  const observer = {
    arrived(id: number, source: string): void {
      const pair = pairs[id];
      if (pair !== undefined) pair.source = source;
    },
    answered(id: number): void {
      const pair = pairs[id];
      if (pair === undefined || pair.answered) return;
      pair.answered = true;
      open -= 1;
      conditions.check();
    },
  };
  for (const participant of participants) {
    const netnsPath = layout.namespacePath(participant.name);
    const family = familyOf(participant.address);
    probers.set(participant, stack.use(openProber({ netnsPath, family, nonce }, observer)));
  }
  const deadline = clock.now() + timeoutMs;
  while (open > 0 && clock.now() < deadline) {
    await sendOpen(pairs, probers, signal);
    await untilRepeat(conditions, () => open === 0, signal);
  }
  return report(participants, pairs);
}

function planPairs({ topology, containers }: LabState): {
  readonly participants: readonly Participant[];
  readonly pairs: readonly Pair[];
} {
  const plans = FAMILIES.map((family) => {
    const attached = containers.flatMap(({ name, host, addresses }) => {
      const address = addresses.find((candidate) => familyOf(candidate) === family);
      return address === undefined ? [] : [{ name, kind: "container" as const, address, host }];
    });
    const hosts = topology.hosts.flatMap(({ name, address: four, ipv6Address: six }) => {
      const address = family === 4 ? four : six;
      return address === undefined ? [] : [{ name, kind: "host" as const, address, host: name }];
    });
    return { participants: [...hosts, ...attached], pairs: pairsOf(hosts, attached) };
  });
  return {
    participants: plans.flatMap(({ participants }) => participants),
    pairs: plans.flatMap(({ pairs }) => pairs),
  };
}

type Located = Participant & { readonly host: string };

function pairsOf(hosts: readonly Located[], containers: readonly Located[]): readonly Pair[] {
  const pair = (from: Participant, to: Participant): Pair => ({ from, to, source: null, answered: false });
  return [
    ...hosts.flatMap((from) =>
      containers.filter(({ host }) => host === from.name).map((to) => pair(from, to)),
    ),
    ...containers.flatMap((from) => containers.filter((to) => to !== from).map((to) => pair(from, to))),
  ];
}

async function sendOpen(
  pairs: readonly Pair[],
  probers: ReadonlyMap<Participant, Prober>,
  signal: AbortSignal,
): Promise<void> {
  let sent = 0;
  for (const [id, { from, to, answered }] of pairs.entries()) {
    const port = probers.get(to)?.port;
    if (answered || port === undefined) continue;
    probers.get(from)?.send(id, { address: to.address, port });
    // Receivers run in this very process: they need their turn.
    if (++sent % BURST === 0) await new Promise(setImmediate);
    signal.throwIfAborted();
  }
}

/** Returns when all pairs have been answered, or when it is time to repeat those that have not. */
async function untilRepeat(
  conditions: Conditions,
  isDone: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const repeat = AbortSignal.timeout(REPEAT_MS);
  try {
    await conditions.until(isDone, AbortSignal.any([signal, repeat]));
  } catch (error) {
    if (!repeat.aborted || signal.aborted) throw error;
  }
}

function report(participants: readonly Participant[], pairs: readonly Pair[]): CheckReport {
  const results = pairs.map(({ from, to, source, answered }) => ({
    family: familyOf(from.address),
    from: from.name,
    to: to.name,
    reachable: answered,
    source,
    translated: source !== null && source !== from.address,
  }));
  return {
    ok: results.every(({ reachable, translated }) => reachable && !translated),
    participants,
    pairs: results,
  };
}
