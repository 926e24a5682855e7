// SPDX-License-Identifier: Apache-2.0
// Sends a marked probe, and reads what the live network did with it. Captures stand before the probe leaves; kernels are asked after it,
// about the very packet that came to them.
import { openNetns } from "../dataplane/netlink/netns.ts";
import { systemClock } from "../system/clock.ts";
import { alignTimes } from "../trace/align-times.ts";
import { explain } from "../trace/explain.ts";
import { innermost, isIcmp, resolutionOf } from "../trace/headers.ts";
import type { Observation, Probe, Sighting } from "../trace/observation.ts";
import { isAnswer } from "../trace/view.ts";
import { findDrop } from "./find-drop.ts";
import type { StationPlace } from "./place.ts";
import { type Post, type PostTools, openPost } from "./post.ts";
import type { RemotePost } from "./remote-post.ts";
import { type ProbeRequest, type Sender, openSender } from "./sender.ts";
import { watch } from "./watch.ts";

export type { ProbeRequest } from "./sender.ts";

export interface ObserveRequest {
  /** Everywhere on this machine that the probe may come by. */
  readonly places: readonly StationPlace[];
  readonly source: StationPlace;
  /** Absent where nobody here can look into it. */
  readonly destination?: StationPlace;
  readonly probe: ProbeRequest;
  /** Another node that takes part, by its agent. */
  readonly remote?: RemotePost;
}

/** How often a probe is sent that has no answer: one packet may be lost in a network that is well. */
const ATTEMPTS = 2;
/** Far longer than a packet and its answer travel, and as long as a kernel waits before it asks again by ARP. */
const ANSWER_TIMEOUT_MS = 1000;

/** Rejects with a `KernelError` where a namespace cannot be looked into, with the signal's reason where it aborts. */
export async function observe(
  tools: PostTools,
  { places, source, destination, probe: request, remote }: ObserveRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<Observation> {
  await using stack = new AsyncDisposableStack();
  const home = stack.use(openNetns(source.netnsPath));
  const sender = stack.use(openSender(home, request));
  const post = stack.use(await openPost(tools, places, sender.marker));
  const far = await remote?.begin(sender.marker, { signal });
  const sent = await send({ sender, post, source: source.name }, signal);
  const { probe, isAnswered, lost, sendError } = sent;
  const seen = { probe, sightings: sent.sightings, isAnswered };
  const [stations, report] = await Promise.all([
    post.explain(seen),
    far?.kind === "listens" ? far.collect({ probe, isAnswered }, { signal }) : far,
  ]);
  const isOurs = (name: string): boolean => stations.some((station) => station.name === name);
  const others =
    report?.kind === "report" && !report.stations.some(({ name }) => isOurs(name)) ? report : undefined;
  const end = destination?.name ?? others?.destination;
  const observation: Observation = {
    probe,
    source: source.name,
    ...(end !== undefined && { destination: end }),
    stations: [...stations, ...(others?.stations ?? [])],
    ...alignTimes(sent, others),
    ...(report?.kind === "silent" && { silence: report.reason }),
    lost,
    ...(sendError !== undefined && { sendError }),
  };
  const { fault } = explain(observation);
  // Only where nothing else explains it: it takes some seconds.
  if (fault?.cause !== "dropped") return observation;
  const taking = others && far?.kind === "listens" ? { remote: { node: others.node, capture: far } } : {};
  const search = { fault, places, sender, ...taking };
  const drop = await findDrop({ ...tools, clock: systemClock }, search, { signal });
  return { ...observation, ...(drop !== undefined && { drop }) };
}

interface Sent {
  /** The last that was sent. */
  readonly probe: Probe;
  /** What was seen of it. */
  readonly sightings: readonly Sighting[];
  /** What was seen of ARP and neighbour discovery meanwhile. */
  readonly resolutions: readonly Sighting[];
  readonly isAnswered: boolean;
  /** How many had no answer before it. */
  readonly lost: number;
  readonly sendError: string | undefined;
}

interface Sending {
  readonly sender: Sender;
  readonly post: Post;
  readonly source: string;
}

async function send({ sender, post, source }: Sending, signal: AbortSignal): Promise<Sent> {
  for (let attempt = 0; ; attempt++) {
    const probe = sender.probe(attempt);
    const isLast = (sighting: Sighting): boolean => isAnswer(sighting, source, probe);
    let sendError: string | undefined;
    const begin = (): void => {
      sendError = sender.send(attempt);
    };
    const { vxlanPorts, stations } = post;
    const until = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const all = await watch(stations, begin, { vxlanPorts, isLast, until });
    signal.throwIfAborted();
    const found = { probe, ...sorted(all, probe), sendError };
    const isAnswered = found.sightings.some(isLast);
    if (isAnswered || attempt + 1 === ATTEMPTS)
      return { ...found, isAnswered, lost: isAnswered ? attempt : 0 };
  }
}

/** What is of the probe, and what is of ARP or neighbour discovery; but for a probe before, whose packets may come late. */
export function sorted(
  all: readonly Sighting[],
  probe: Probe,
): Pick<Observation, "sightings" | "resolutions"> {
  const [resolutions, packets] = [true, false].map((wanted) =>
    all.filter(({ headers }) => (resolutionOf(headers) !== undefined) === wanted),
  );
  return {
    sightings: (packets ?? []).filter((sighting) => isOf(sighting, probe)),
    resolutions: resolutions ?? [],
  };
}

function isOf({ headers }: Sighting, probe: Probe): boolean {
  if (probe.kind !== "icmp") return true;
  const { payload } = innermost(headers);
  if (!isIcmp(payload)) return false;
  const { payload: quoted } = innermost(payload.quoted ?? []);
  const { echo } = isIcmp(quoted) ? quoted : payload;
  return echo?.sequence === probe.sequence;
}
