// SPDX-License-Identifier: Apache-2.0
// The steps of one way, along what was seen of the packet.
import { IPPROTO_IPIP, outerIp } from "./headers.ts";
import { handOver, lookUp } from "./hop.ts";
import type { Sighting, Station } from "./observation.ts";
import type { Evidence, Fact, Step } from "./trace.ts";
import {
  type Leg,
  type View,
  forwardedBy,
  hasAddress,
  isTunnelledTo,
  isWireguard,
  linkName,
  linkOf,
  outIfIndexOf,
} from "./view.ts";

const EVIDENCE: Readonly<Record<Fact["kind"], Evidence>> = {
  route: "asked",
  neighbour: "asked",
  seen: "captured",
  resolution: "captured",
  dropped: "captured",
  forwarding: "asked",
  peer: "asked",
  encapsulated: "captured",
  decapsulated: "computed",
  encrypted: "computed",
  decrypted: "computed",
  unobserved: "computed",
  delivered: "captured",
  answered: "captured",
};

/** Everything up to where the packet was last seen. */
export function walk(leg: Leg, view: View): readonly Step[] {
  return leg.path.flatMap((sighting, index) => {
    const station = view.station(sighting.station);
    const [before, after] = [leg.path[index - 1], leg.path[index + 1]];
    const point: Point = { leg, view, station, sighting, before, after };
    const facts = sighting.direction === "out" ? [...departure(point), seen(point)] : arrival(point);
    return [...facts, ...beyond(point)].map((fact) => stepOf(leg, sighting.station, fact));
  });
}

/** What the sender decides before anything can be seen. */
export function beginning(leg: Leg, view: View): readonly Step[] {
  const { from, path } = leg;
  if (from === undefined || path.length > 0) return [];
  return origin(leg, view, from, undefined).map((fact) => stepOf(leg, from.name, fact));
}

export function stepOf({ direction }: Pick<Leg, "direction">, station: string, fact: Fact): Step {
  return { direction, station, evidence: EVIDENCE[fact.kind], fact };
}

interface Point {
  readonly leg: Leg;
  readonly view: View;
  readonly station: Station;
  readonly sighting: Sighting;
  readonly before: Sighting | undefined;
  readonly after: Sighting | undefined;
}

/** Why the packet leaves by this interface, for this neighbour, with this header. */
function departure({ leg, view, station, sighting, before }: Point): readonly Fact[] {
  const { ifIndex, headers } = sighting;
  if (station.name === leg.from?.name) return origin(leg, view, station, ifIndex);
  if (before?.station !== station.name) return [];
  const outer = outerIp(headers);
  if (before.direction === "in") {
    const question = forwardedBy(station, before, leg);
    const { route, facts } = lookUp(station, question, "forwarded");
    const isInside = outerIp(before.headers) !== undefined && !isTunnelledTo(station, before);
    // Programs come last: the packet has its next hop's MAC address by then.
    const added =
      outer === undefined || isInside ? [] : [tunnelFact("encapsulated", station, sighting, null)];
    return [...facts, ...handOver(view, station, ifIndex, route, question.dst), ...added];
  }
  if (outer === undefined) return [];
  // It left by a device that has put it into another packet, which the kernel looks up once more.
  const { route, facts } = lookUp(station, { dst: outer.dst }, "outer");
  return [
    tunnelFact("encapsulated", station, sighting, linkName(station, before.ifIndex)),
    ...facts,
    ...handOver(view, station, ifIndex, route, outer.dst),
  ];
}

function origin(
  { src, dst }: Leg,
  view: View,
  station: Station,
  ifIndex: number | undefined,
): readonly Fact[] {
  const { route, facts } = lookUp(station, { src, dst }, "own");
  const out = ifIndex ?? (route && outIfIndexOf(route));
  return [...facts, ...(out === undefined ? [] : handOver(view, station, out, route, dst))];
}

/** Throws `RangeError` for a packet that is in no other. */
export function tunnelFact(
  kind: "encapsulated" | "decapsulated",
  station: Station,
  { ifIndex, headers }: Sighting,
  by: string | null,
): Fact {
  const outer = outerIp(headers);
  if (outer === undefined) throw new RangeError(`Cannot describe tunnel: the packet is in no other`);
  const as = outer.protocol === IPPROTO_IPIP ? "ipip" : "vxlan";
  return { kind, as, by, ifName: linkName(station, ifIndex), outer };
}

function seen({ station, sighting: { ifIndex, direction, atUs, headers } }: Point): Fact {
  return { kind: "seen", ifName: linkName(station, ifIndex), direction, atUs, headers };
}

function arrival(point: Point): readonly Fact[] {
  const { leg, station, sighting, after } = point;
  const facts: Fact[] = [...decryption(point), seen(point)];
  // That it was opened shows in what comes after it.
  if (isTunnelledTo(station, sighting) && after?.station === station.name) {
    const device = after.direction === "in" ? linkName(station, after.ifIndex) : null;
    facts.push(tunnelFact("decapsulated", station, sighting, device));
  }
  if (station.name === leg.to?.name && hasAddress(station, leg.dst))
    facts.push({ kind: "delivered", ip: leg.dst });
  return facts;
}

function decryption({ station, sighting: { ifIndex } }: Point): readonly Fact[] {
  const link = linkOf(station, ifIndex);
  return link !== undefined && isWireguard(link) ? [{ kind: "decrypted", ifName: link.name }] : [];
}

/** What happens where nobody looks, between this capture point and the next. */
function beyond({ leg, view, station, sighting: { ifIndex, direction }, after }: Point): readonly Fact[] {
  if (direction === "in") return [];
  const link = linkOf(station, ifIndex);
  if (link !== undefined && isWireguard(link)) return [{ kind: "encrypted", ifName: link.name }];
  const isEnd = after === undefined && leg.to === undefined && station.kind !== "container";
  const { silence } = view.observation;
  return isEnd ? [{ kind: "unobserved", ...(silence !== undefined && { reason: silence }) }] : [];
}
