// SPDX-License-Identifier: Apache-2.0
import type { Marker } from "../../dataplane/capture/probe-filter.ts";
import type { NftDrop } from "../../dataplane/nft/trace-output.ts";
import { relevantPart } from "../../trace/relevant.ts";
import { OWN_NETNS, findLocalPlaces } from "../local-places.ts";
import { sorted } from "../observe.ts";
import { type PostTools, openPost } from "../post.ts";
import { type TraceDropOptions, traceDrop } from "../trace-drop.ts";
import { watch } from "../watch.ts";
import type { TraceAnswer, TraceRequest } from "./protocol.ts";
import { MOST_WORDS } from "./schema.ts";

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

/** The rule of this node's nftables that drops the probe or its answer; the asker sends it again and again meanwhile. Rejects with the signal's reason. */
export async function findDropHere(
  tools: PostTools,
  what: Pick<TraceDropOptions, "marker" | "direction">,
  options: { readonly signal: AbortSignal },
): Promise<NftDrop | null> {
  const found = await traceDrop(tools, { ...what, netnsPath: OWN_NETNS }, options);
  if (found === undefined) return null;
  const { table, chain, rule, isAround } = found;
  const words = { table: inWords(table), chain: inWords(chain), rule: rule === null ? null : inWords(rule) };
  return { ...words, isAround };
}

/** As much of a text as an answer may have: comments of rules may be long, and in any language. */
function inWords(text: string): string {
  const plain = text.replaceAll(/[^\x20-\x7e]/gu, "?");
  return plain.length <= MOST_WORDS ? plain : `${plain.slice(0, MOST_WORDS - 3)}...`;
}
