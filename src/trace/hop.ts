// SPDX-License-Identifier: Apache-2.0
// Handing a packet on: the lookup that a station's kernel does for it, and how it knows where the next hop is.
import { cidrContainsIp, prefixLengthOf } from "../net/cidr.ts";
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import { resolutionOf } from "./headers.ts";
import type { Question, RouteFacts, Sighting, Station } from "./observation.ts";
import type { Fact } from "./trace.ts";
import { type View, linkName, lookupOf, neighbourOf, nextHopOf, outIfIndexOf } from "./view.ts";

export interface LookupFacts {
  readonly route: RouteFacts | undefined;
  readonly facts: readonly Fact[];
}

export function lookUp(station: Station, question: Question, of: "own" | "forwarded" | "outer"): LookupFacts {
  const answer = lookupOf(station, question)?.result;
  if (answer?.kind !== "route") return { route: undefined, facts: [] };
  const { route } = answer;
  const out = outIfIndexOf(route);
  const own = station.addresses.find(({ ip }) => ip === question.src);
  const isHostAddress = own?.prefixLength === addressBits(familyOf(question.dst));
  const ifName = out === undefined ? null : linkName(station, out);
  return { route, facts: [{ kind: "route", dst: question.dst, route, ifName, of, isHostAddress }] };
}

/** How it is known where the route's next hop is on the interface: by the table of neighbours, and what was seen of asking; and where a tunnel leads from there. */
export function handOver(
  view: View,
  station: Station,
  ifIndex: number,
  route: RouteFacts | undefined,
  dst: Ip,
): readonly Fact[] {
  if (route === undefined) return [];
  return [
    ...neighbour(view, station, ifIndex, nextHopOf(route, ifIndex, dst)),
    ...peer(station, ifIndex, dst),
  ];
}

/** What was seen of a station asking for an address, in vain: each question once. */
export function unanswered(view: View, station: Station): readonly Fact[] {
  const known = (sighting: Sighting): boolean => {
    const ip = resolutionOf(sighting.headers)?.ip;
    const entry = ip && neighbourOf(station.neighbours.after, sighting.ifIndex, ip);
    return entry?.mac !== undefined && entry.state !== "unknown";
  };
  const asked = new Map<string, Sighting>();
  for (const sighting of view.resolutionsAt(station)) {
    const resolution = resolutionOf(sighting.headers);
    if (sighting.direction !== "out" || resolution?.operation !== "request" || known(sighting)) continue;
    if (!asked.has(resolution.ip)) asked.set(resolution.ip, sighting);
  }
  return Array.from(asked.values(), (sighting) => resolutionFact(station, sighting));
}

function neighbour(view: View, station: Station, ifIndex: number, ip: Ip): readonly Fact[] {
  const entry = neighbourOf(station.neighbours.after, ifIndex, ip);
  if (entry?.mac === undefined || entry.state === "unknown") return [];
  const earlier = neighbourOf(station.neighbours.before, ifIndex, ip);
  const isNew = earlier === undefined || earlier.state === "unknown";
  const exchange = isNew ? exchangeFor(view, station, ifIndex, ip) : [];
  const isAsked = exchange.length > 0;
  const origin =
    entry.state === "permanent" ? "permanent" : !isNew ? "known" : isAsked ? "resolved" : "heard";
  return [
    ...exchange,
    { kind: "neighbour", ifName: linkName(station, ifIndex), ip, mac: entry.mac, origin },
    ...forwarding(station, ifIndex, entry.mac),
  ];
}

/** The first question, and the first answer after it. */
function exchangeFor(view: View, station: Station, ifIndex: number, ip: Ip): readonly Fact[] {
  const about = view
    .resolutionsAt(station)
    .filter((sighting) => sighting.ifIndex === ifIndex && resolutionOf(sighting.headers)?.ip === ip);
  const request = about.find(
    ({ direction, headers }) => direction === "out" && resolutionOf(headers)?.operation === "request",
  );
  if (request === undefined) return [];
  const reply = about.find(
    ({ direction, headers, atUs }) =>
      direction === "in" && resolutionOf(headers)?.operation === "reply" && atUs >= request.atUs,
  );
  return [request, ...(reply === undefined ? [] : [reply])].map((sighting) =>
    resolutionFact(station, sighting),
  );
}

function resolutionFact(station: Station, { ifIndex, direction, atUs, headers }: Sighting): Fact {
  return { kind: "resolution", ifName: linkName(station, ifIndex), direction, atUs, headers };
}

/** Of a VXLAN device: the node that frames to that address go to. */
function forwarding(station: Station, ifIndex: number, mac: Mac): readonly Fact[] {
  const entry = station.forwarding?.find((one) => one.ifIndex === ifIndex && one.mac === mac);
  if (entry === undefined) return [];
  return [{ kind: "forwarding", ifName: linkName(station, ifIndex), mac, node: entry.dst }];
}

/** Of a WireGuard device: the peer whose allowed addresses hold the packet's with the longest prefix (wireguard.com, "Cryptokey Routing"). */
function peer(station: Station, ifIndex: number, dst: Ip): readonly Fact[] {
  const [found] = (station.peers ?? [])
    .filter((one) => one.ifIndex === ifIndex)
    .flatMap(({ allowedIps, ...one }) => allowedIps.map((allowedIp) => ({ ...one, allowedIp })))
    .filter(({ allowedIp }) => cidrContainsIp(allowedIp, dst))
    .toSorted((a, b) => prefixLengthOf(b.allowedIp) - prefixLengthOf(a.allowedIp));
  if (found === undefined) return [];
  const { publicKey, allowedIp, endpoint } = found;
  const ifName = linkName(station, ifIndex);
  return [{ kind: "peer", ifName, publicKey, allowedIp, endpoint: endpoint ?? null }];
}
