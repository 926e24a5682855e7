// SPDX-License-Identifier: Apache-2.0
import type { Marker } from "../../dataplane/capture/probe-filter.ts";
import { relevantPart } from "../../trace/relevant.ts";
import { findLocalPlaces } from "../local-places.ts";
import { sorted } from "../observe.ts";
import { type PostTools, openPost } from "../post.ts";
import { watch } from "../watch.ts";
import type { TraceAnswer, TraceRequest } from "./protocol.ts";

export interface Part {
  readonly nodeName: string;
  readonly wireguardDirectory: string;
  readonly marker: Marker;
  /** Resolves once the asker says what came of its probe. */
  readonly outcome: Promise<NonNullable<TraceRequest["outcome"]>>;
  /** Tells the asker that its probe may leave. */
  readonly listening: () => Promise<void>;
}

/** Of frames that tell nothing of the probe, an answer has no more than these. */
const MOST_RESOLUTIONS = 64;
const MOST_SIGHTINGS = 256;

/** What this node has seen of a probe that another sends, and what its kernels say of it. Rejects with a `KernelError`, or the signal's reason. */
export async function takePart(
  tools: PostTools,
  { nodeName, wireguardDirectory, marker, outcome, listening }: Part,
  { signal }: { readonly signal: AbortSignal },
): Promise<TraceAnswer> {
  const { node, container } = await findLocalPlaces(nodeName, [marker.src, marker.dst]);
  const ends = [container(marker.src), container(marker.dst)].filter((one) => one !== undefined);
  await using post = await openPost(tools, [{ ...node, wireguardDirectory }, ...ends], marker);
  const sent = new AbortController();
  const told = outcome.finally(() => {
    sent.abort();
  });
  const until = AbortSignal.any([signal, sent.signal]);
  let answered: Promise<void> = Promise.resolve();
  const begin = (): void => {
    answered = listening();
  };
  const all = await watch(post.stations, begin, { vxlanPorts: post.vxlanPorts, until });
  await answered;
  signal.throwIfAborted();
  const { probe, isAnswered } = await told;
  const { sightings, resolutions } = sorted(all, probe);
  const names = ends.flatMap(({ attachment }) => attachment?.ifName ?? []);
  const stations = await post.explain({ probe, sightings, isAnswered });
  const destination = container(marker.dst);
  return {
    phase: "report",
    stations: stations.map((station) => relevantPart(station, probe, sightings, names)),
    sightings: sightings.slice(0, MOST_SIGHTINGS),
    resolutions: resolutions.slice(0, MOST_RESOLUTIONS),
    ...(destination !== undefined && { destination: destination.name }),
  };
}
