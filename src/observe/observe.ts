// SPDX-License-Identifier: Apache-2.0
// Sends a marked probe, and reads what the live network did with it. Captures stand before the probe leaves; kernels are asked after it,
// about the very packet that came to them.
import { encodeProbeFilter } from "../dataplane/capture/probe-filter.ts";
import { openNetns } from "../dataplane/netlink/netns.ts";
import { createNft } from "../dataplane/nft/nft.ts";
import type { NftTable } from "../dataplane/nft/statement.ts";
import type { ProcessRunner } from "../system/process.ts";
import { innermost } from "../trace/headers.ts";
import type { Observation, Probe, Sighting, Station } from "../trace/observation.ts";
import { type StationQuestion, questionsOf } from "../trace/questions.ts";
import { isAnswer } from "../trace/view.ts";
import { type OpenStation, openStation } from "./open-station.ts";
import type { StationPlace } from "./place.ts";
import { type ProbeRequest, type Sender, openSender } from "./sender.ts";
import { watch } from "./watch.ts";

export type { ProbeRequest } from "./sender.ts";

export interface ObserveRequest {
  /** Everywhere that the probe may come by. */
  readonly places: readonly StationPlace[];
  readonly source: StationPlace;
  /** Absent where nobody here can look into it. */
  readonly destination?: StationPlace;
  readonly probe: ProbeRequest;
}

/** How often a probe is sent that has no answer: one packet may be lost in a network that is well. */
const ATTEMPTS = 2;
/** Far longer than a packet and its answer travel, and as long as a kernel waits before it asks again by ARP. */
const ANSWER_TIMEOUT_MS = 1000;

/** Margay's tables that drop packets, and their sets. */
const FILTERS: readonly { readonly table: NftTable; readonly set: string }[] = [
  { table: { family: "ip", name: "margay" }, set: "nodes" },
  { table: { family: "inet", name: "margay-source" }, set: "own4" },
];

/** Rejects with a `KernelError` where a namespace cannot be looked into, with the signal's reason where it aborts. */
export async function observe(
  tools: { readonly processes: ProcessRunner },
  { places, source, destination, probe: request }: ObserveRequest,
  { signal }: { readonly signal: AbortSignal },
): Promise<Observation> {
  await using stack = new AsyncDisposableStack();
  const home = stack.use(openNetns(source.netnsPath));
  const sender = stack.use(openSender(home, request));
  const filter = encodeProbeFilter(sender.marker);
  const stations = places.map((place) => stack.use(openStation(place, filter)));
  const outlined = await Promise.all(
    stations.map(async (station) => ({ station, outline: await outlineOf(station) })),
  );
  const sent = await send({ sender, outlined, source: source.name }, signal);
  const { probe, sightings, isAnswered, lost, sendError } = sent;
  const questions = questionsOf(
    sightings,
    outlined.map(({ outline }) => outline),
    probe,
  );
  const seen = { questions, sightings, isAnswered, attachments: attachmentsOf(places) };
  return {
    probe,
    source: source.name,
    ...(destination !== undefined && { destination: destination.name }),
    stations: await Promise.all(outlined.map((one) => completed(tools, one, seen))),
    sightings,
    lost,
    ...(sendError !== undefined && { sendError }),
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
  const { netnsPath: _, ...place } = station.place;
  const links = await station.links();
  const addresses = await station.addresses();
  return { ...place, links, addresses, neighbours: await station.neighbours() };
}

interface Sent {
  /** The last that was sent. */
  readonly probe: Probe;
  /** What was seen of it. */
  readonly sightings: readonly Sighting[];
  readonly isAnswered: boolean;
  /** How many had no answer before it. */
  readonly lost: number;
  readonly sendError: string | undefined;
}

interface Sending {
  readonly sender: Sender;
  readonly outlined: readonly Outlined[];
  readonly source: string;
}

async function send({ sender, outlined, source }: Sending, signal: AbortSignal): Promise<Sent> {
  const stations = outlined.map(({ station }) => station);
  const links = outlined.flatMap(({ outline }) => outline.links);
  const vxlanPorts = links.flatMap(({ vxlanPort = [] }) => vxlanPort);
  for (let attempt = 0; ; attempt++) {
    const probe = sender.probe(attempt);
    const isLast = (sighting: Sighting): boolean => isAnswer(sighting, source, probe);
    let sendError: string | undefined;
    const begin = (): void => {
      sendError = sender.send(attempt);
    };
    const options = { vxlanPorts, isLast, timeoutMs: ANSWER_TIMEOUT_MS, signal };
    const all = await watch(stations, begin, options);
    const sightings = all.filter((sighting) => isOf(sighting, probe));
    const isAnswered = sightings.some(isLast);
    if (isAnswered || attempt + 1 === ATTEMPTS)
      return { probe, sightings, isAnswered, lost: isAnswered ? attempt : 0, sendError };
  }
}

/** Whether it is not of a probe before, which may come late. */
function isOf({ headers }: Sighting, probe: Probe): boolean {
  if (probe.kind !== "icmp") return true;
  const { payload } = innermost(headers);
  if (payload?.kind !== "icmp") return false;
  const { payload: quoted } = innermost(payload.quoted ?? []);
  const { echo } = quoted?.kind === "icmp" ? quoted : payload;
  return echo?.sequence === probe.sequence;
}

interface Seen {
  readonly questions: readonly StationQuestion[];
  readonly sightings: readonly Sighting[];
  readonly isAnswered: boolean;
  /** Of each node, by its name: its ends of containers' links. */
  readonly attachments: ReadonlyMap<string, readonly string[]>;
}

async function completed(
  tools: { readonly processes: ProcessRunner },
  { station, outline }: Outlined,
  { questions, sightings, isAnswered, attachments }: Seen,
): Promise<Station> {
  const passed = new Set(
    sightings.filter(({ station: name }) => name === outline.name).map(({ ifIndex }) => ifIndex),
  );
  const names = [
    ...outline.links.filter(({ index }) => passed.has(index)).map(({ name }) => name),
    ...(attachments.get(outline.name) ?? []),
  ];
  const own = questions.filter((question) => question.station === outline.name);
  const known = {
    ...outline,
    neighbours: { before: outline.neighbours, after: await station.neighbours() },
    lookups: await Promise.all(own.map(({ question }) => station.ask(question))),
    settings: station.settings(settingsFor(names)),
  };
  if (isAnswered) return known;
  const routes = await station.routes();
  return passed.size === 0
    ? { ...known, routes }
    : { ...known, routes, filters: await readFilters(tools, station) };
}

function settingsFor(ifNames: readonly string[]): readonly string[] {
  const ofInterfaces = ifNames.flatMap((name) =>
    ["forwarding", "rp_filter", "proxy_arp"].map((setting) => `net/ipv4/conf/${name}/${setting}`),
  );
  return [
    "net/ipv4/ip_forward",
    "net/ipv4/icmp_echo_ignore_all",
    "net/ipv4/conf/all/rp_filter",
    ...new Set(ofInterfaces),
  ];
}

function attachmentsOf(places: readonly StationPlace[]): ReadonlyMap<string, readonly string[]> {
  const all = places.flatMap(({ attachment }) => attachment ?? []);
  const byNode = Map.groupBy(all, ({ node }) => node);
  return new Map([...byNode].map(([node, ends]) => [node, ends.map(({ ifName }) => ifName)]));
}

async function readFilters(
  { processes }: { readonly processes: ProcessRunner },
  { netns, place }: OpenStation,
): Promise<Readonly<Record<string, readonly string[]>>> {
  const command = ["nsenter", `--net=${place.netnsPath}`, "nft"] as const;
  await using nft = createNft({ processes }, { netns, command });
  const found: Record<string, readonly string[]> = {};
  for (const { table, set } of FILTERS) {
    const listing = await nft.list(table);
    if (listing === undefined) continue;
    const elements = listing.elements.filter((element) => element.set === set);
    found[`${table.family} ${table.name} ${set}`] = elements.map(({ value }) => value);
  }
  return found;
}
