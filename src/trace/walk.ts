// SPDX-License-Identifier: Apache-2.0
// The steps of one way, along what was seen of the packet.
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import { IPPROTO_IPIP, outerIp } from "./headers.ts";
import type { Question, RouteFacts, Sighting, Station } from "./observation.ts";
import type { Evidence, Fact, Step } from "./trace.ts";
import {
  type Leg,
  type View,
  isTunnelledTo,
  hasAddress,
  linkName,
  linkOf,
  lookupOf,
  neighbourOf,
  nextHopOf,
  outIfIndexOf,
} from "./view.ts";

/** The name of the device that encrypts, whatever driver it has. */
const WIREGUARD = /^wireguard/;

const EVIDENCE: Readonly<Record<Fact["kind"], Evidence>> = {
  route: "asked",
  neighbour: "asked",
  seen: "captured",
  encapsulated: "captured",
  decapsulated: "computed",
  encrypted: "computed",
  unobserved: "computed",
  delivered: "captured",
  answered: "captured",
};

/** Everything up to where the packet was last seen. */
export function walk(leg: Leg, view: View): readonly Step[] {
  return leg.path.flatMap((sighting, index) => {
    const station = view.station(sighting.station);
    const point: Point = { leg, station, sighting, before: leg.path[index - 1], after: leg.path[index + 1] };
    const facts = sighting.direction === "out" ? [...departure(point), seen(point)] : arrival(point);
    return [...facts, ...beyond(point)].map((fact) => stepOf(leg, sighting.station, fact));
  });
}

/** What the sender decides before anything can be seen. */
export function beginning(leg: Leg): readonly Step[] {
  const { from, path } = leg;
  if (from === undefined || path.length > 0) return [];
  return origin(leg, from, undefined).map((fact) => stepOf(leg, from.name, fact));
}

export function stepOf({ direction }: Pick<Leg, "direction">, station: string, fact: Fact): Step {
  return { direction, station, evidence: EVIDENCE[fact.kind], fact };
}

interface Point {
  readonly leg: Leg;
  readonly station: Station;
  readonly sighting: Sighting;
  readonly before: Sighting | undefined;
  readonly after: Sighting | undefined;
}

/** Why the packet leaves by this interface, for this neighbour, with this header. */
function departure({ leg, station, sighting, before }: Point): readonly Fact[] {
  const { ifIndex, headers } = sighting;
  if (station.name === leg.from?.name) return origin(leg, station, ifIndex);
  if (before?.station !== station.name) return [];
  const outer = outerIp(headers);
  if (before.direction === "in") {
    const question = { src: leg.src, dst: leg.dst, inIfIndex: before.ifIndex };
    const { route, facts } = lookup(station, question, "forwarded");
    const added = outer === undefined ? [] : [encapsulation(sighting, null)];
    return [...facts, ...added, ...neighbour(station, ifIndex, route, leg.dst)];
  }
  if (outer === undefined) return [];
  // It left by a device that has put it into another packet, which the kernel looks up once more.
  const { route, facts } = lookup(station, { dst: outer.dst }, "outer");
  return [
    encapsulation(sighting, linkName(station, before.ifIndex)),
    ...facts,
    ...neighbour(station, ifIndex, route, outer.dst),
  ];
}

function origin({ src, dst }: Leg, station: Station, ifIndex: number | undefined): readonly Fact[] {
  const { route, facts } = lookup(station, { src, dst }, "own");
  const out = ifIndex ?? (route && outIfIndexOf(route));
  return [...facts, ...(out === undefined ? [] : neighbour(station, out, route, dst))];
}

function lookup(
  station: Station,
  question: Question,
  of: "own" | "forwarded" | "outer",
): { readonly route: RouteFacts | undefined; readonly facts: readonly Fact[] } {
  const answer = lookupOf(station, question)?.result;
  if (answer?.kind !== "route") return { route: undefined, facts: [] };
  const { route } = answer;
  const out = outIfIndexOf(route);
  const own = station.addresses.find(({ ip }) => ip === question.src);
  const isHostAddress = own?.prefixLength === addressBits(familyOf(question.dst));
  const ifName = out === undefined ? null : linkName(station, out);
  return { route, facts: [{ kind: "route", dst: question.dst, route, ifName, of, isHostAddress }] };
}

function neighbour(
  station: Station,
  ifIndex: number,
  route: RouteFacts | undefined,
  dst: Ip,
): readonly Fact[] {
  if (route === undefined) return [];
  const ip = nextHopOf(route, ifIndex, dst);
  const entry = neighbourOf(station.neighbours.after, ifIndex, ip);
  if (entry?.mac === undefined || entry.state === "unknown") return [];
  const earlier = neighbourOf(station.neighbours.before, ifIndex, ip);
  const isNew = earlier === undefined || earlier.state === "unknown";
  const origin = entry.state === "permanent" ? "permanent" : isNew ? "resolved" : "known";
  return [{ kind: "neighbour", ifName: linkName(station, ifIndex), ip, mac: entry.mac, origin }];
}

function encapsulation({ headers }: Sighting, by: string | null): Fact {
  return tunnelFact("encapsulated", headers, by);
}

function tunnelFact(
  kind: "encapsulated" | "decapsulated",
  headers: Sighting["headers"],
  by: string | null,
): Fact {
  const outer = outerIp(headers);
  if (outer === undefined) throw new RangeError(`Cannot describe tunnel: the packet is in no other`);
  return { kind, as: outer.protocol === IPPROTO_IPIP ? "ipip" : "vxlan", by, outer };
}

function seen({ station, sighting: { ifIndex, direction, atUs, headers } }: Point): Fact {
  return { kind: "seen", ifName: linkName(station, ifIndex), direction, atUs, headers };
}

function arrival(point: Point): readonly Fact[] {
  const { leg, station, sighting, after } = point;
  const facts: Fact[] = [seen(point)];
  // That it was opened shows in what comes after it.
  if (isTunnelledTo(station, sighting) && after?.station === station.name) {
    const device = after.direction === "in" ? linkName(station, after.ifIndex) : null;
    facts.push(tunnelFact("decapsulated", sighting.headers, device));
  }
  if (station.name === leg.to?.name && hasAddress(station, leg.dst))
    facts.push({ kind: "delivered", ip: leg.dst });
  return facts;
}

/** What happens where nobody looks, between this capture point and the next. */
function beyond({ leg, station, sighting: { ifIndex, direction }, after }: Point): readonly Fact[] {
  if (direction === "in") return [];
  const link = linkOf(station, ifIndex);
  if (link !== undefined && (link.kind === "wireguard" || WIREGUARD.test(link.name)))
    return [{ kind: "encrypted", ifName: link.name }];
  const isEnd = after === undefined && leg.to === undefined && station.kind !== "container";
  return isEnd ? [{ kind: "unobserved" }] : [];
}
