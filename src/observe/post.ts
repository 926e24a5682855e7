// SPDX-License-Identifier: Apache-2.0
// The stations of one machine that are looked into for one trace, from before the probe until what was seen of it is explained.
import { encodeProbeFilter, type Marker } from "../dataplane/capture/probe-filter.ts";
import type { ProcessRunner } from "../system/process.ts";
import type { Probe, Sighting, Station } from "../trace/observation.ts";
import { questionsOf } from "../trace/questions.ts";
import { nodeSettings } from "./node-settings.ts";
import { type OpenStation, openStation } from "./open-station.ts";
import type { StationPlace } from "./place.ts";
import { readFilters } from "./read-filters.ts";

export interface PostTools {
  readonly processes: ProcessRunner;
}

/** What was seen of a probe, and what came of it. */
export interface Seen {
  readonly probe: Probe;
  /** Those of other posts' stations are of no account. */
  readonly sightings: readonly Sighting[];
  readonly isAnswered: boolean;
}

/** Captures stand from the moment that it is open. */
export interface Post extends AsyncDisposable {
  readonly stations: readonly OpenStation[];
  /** UDP ports that VXLAN comes by there. */
  readonly vxlanPorts: readonly number[];
  /** Asks the kernels, after the probe, about what was seen of it. Rejects with a `KernelError`. */
  explain(seen: Seen): Promise<readonly Station[]>;
}

/** Opens it. Rejects with a `KernelError` where a namespace cannot be looked into. */
export async function openPost(
  tools: PostTools,
  places: readonly StationPlace[],
  marker: Marker,
): Promise<Post> {
  await using stack = new AsyncDisposableStack();
  const filter = encodeProbeFilter(marker);
  const stations = places.map((place) => stack.use(openStation(place, filter)));
  const outlined = await Promise.all(
    stations.map(async (station) => ({ station, outline: await outlineOf(station) })),
  );
  const attachments = attachmentsOf(places);
  const held = stack.move();
  return {
    stations,
    vxlanPorts: outlined.flatMap(({ outline }) => outline.links.flatMap(({ vxlanPort = [] }) => vxlanPort)),
    explain: (seen) => Promise.all(outlined.map((one) => completed(tools, one, attachments, seen))),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** What is known of a station before the probe. */
type Outline = Omit<Station, "neighbours" | "lookups" | "settings"> & {
  readonly neighbours: Station["neighbours"]["before"];
};

interface Outlined {
  readonly station: OpenStation;
  readonly outline: Outline;
}

async function outlineOf(station: OpenStation): Promise<Outline> {
  const { name, kind, attachment, processes } = station.place;
  return {
    name,
    kind,
    ...(attachment !== undefined && { attachment }),
    ...(processes !== undefined && { processes }),
    links: await station.links(),
    addresses: await station.addresses(),
    neighbours: await station.neighbours(),
  };
}

async function completed(
  tools: PostTools,
  { station, outline }: Outlined,
  attachments: ReadonlyMap<string, readonly string[]>,
  { probe, sightings, isAnswered }: Seen,
): Promise<Station> {
  const own = sightings.filter((sighting) => sighting.station === outline.name);
  const passed = outline.links.filter(({ index }) => own.some(({ ifIndex }) => ifIndex === index));
  const names = [...passed.map(({ name }) => name), ...(attachments.get(outline.name) ?? [])];
  const known = {
    ...outline,
    neighbours: { before: outline.neighbours, after: await station.neighbours() },
    ...(await station.tunnels(passed)),
    lookups: await Promise.all(
      questionsOf(own, [outline], probe).map(({ question }) => station.ask(question)),
    ),
    settings: station.settings(nodeSettings(names)),
  };
  if (isAnswered) return known;
  const routes = await station.routes(probe);
  return own.length === 0
    ? { ...known, routes }
    : { ...known, routes, filters: await readFilters(tools, station) };
}

/** Of each node, by its name: its ends of containers' links. */
function attachmentsOf(places: readonly StationPlace[]): ReadonlyMap<string, readonly string[]> {
  const all = places.flatMap(({ attachment }) => attachment ?? []);
  const byNode = Map.groupBy(all, ({ node }) => node);
  return new Map([...byNode].map(([node, ends]) => [node, ends.map(({ ifName }) => ifName)]));
}
