// SPDX-License-Identifier: Apache-2.0
// An observation, laid out for those who walk along it.
import { cidrContainsIp, prefixLengthOf } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { isLinkLocal } from "../net/link-local.ts";
import { icmpErrorOf, innermost, isIcmp, outerIp } from "./headers.ts";
import type {
  LinkFacts,
  Lookup,
  NeighbourFacts,
  Observation,
  Probe,
  Question,
  RouteFacts,
  Sighting,
  Station,
} from "./observation.ts";

/** One of the two ways that a trace is about. */
export type Direction = "there" | "back";

export interface Leg {
  readonly direction: Direction;
  readonly src: Ip;
  readonly dst: Ip;
  /** Stations; absent where nobody can look into it. */
  readonly from: Station | undefined;
  readonly to: Station | undefined;
  /** Each capture point once, in the order of time. */
  readonly path: readonly Sighting[];
  /** The last that was seen coming to a station with no hop left, if any was. */
  readonly worn: Sighting | undefined;
}

/** The probe, its answer, or an error of ICMP that quotes either. */
export type Role = Direction | "error";

/** An error from the destination itself, that the port is closed, is an answer: the packet has arrived. */
export function roleOf({ headers }: Pick<Sighting, "headers">, probe: Probe): Role {
  const { ip, payload } = innermost(headers);
  const error = isIcmp(payload) ? icmpErrorOf(payload) : undefined;
  if (error !== undefined) return error === "portUnreachable" && ip?.src === probe.dst ? "back" : "error";
  return ip?.src === probe.src ? "there" : "back";
}

/** Whether the source has its answer. */
export function isAnswer(
  { station, direction, ...sighting }: Sighting,
  source: string,
  probe: Probe,
): boolean {
  return station === source && direction === "in" && roleOf(sighting, probe) === "back";
}

export class View {
  readonly observation: Observation;
  readonly #stations: ReadonlyMap<string, Station>;

  constructor(observation: Observation) {
    this.observation = observation;
    this.#stations = new Map(observation.stations.map((station) => [station.name, station]));
  }

  get stations(): readonly Station[] {
    return this.observation.stations;
  }

  /** Throws `RangeError` for a name that no station has. */
  station(name: string): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new RangeError(`Cannot find station "${name}": it was not observed`);
    return station;
  }

  leg(direction: Direction): Leg {
    const { probe, source, destination, sightings } = this.observation;
    const [near, far] = [
      this.station(source),
      destination === undefined ? undefined : this.station(destination),
    ];
    const isThere = direction === "there";
    const all = sightings.filter((sighting) => roleOf(sighting, probe) === direction);
    return {
      direction,
      src: isThere ? probe.src : probe.dst,
      dst: isThere ? probe.dst : probe.src,
      from: isThere ? near : far,
      to: isThere ? far : near,
      path: firstOfEach(all),
      worn: all.findLast(isWorn),
    };
  }

  /** What was seen of ARP or neighbour discovery there, in the order of time. */
  resolutionsAt({ name }: Station): readonly Sighting[] {
    return this.observation.resolutions.filter(({ station }) => station === name);
  }

  /** Errors of ICMP about the probe or its answer, in the order of time. */
  errors(): readonly Sighting[] {
    const { sightings, probe } = this.observation;
    return firstOfEach(sightings.filter((sighting) => roleOf(sighting, probe) === "error"));
  }

  /** The station that has the address; nobody's where each link may have it once more. */
  owner(ip: Ip): Station | undefined {
    if (isLinkLocal(ip)) return undefined;
    return this.stations.find((station) => hasAddress(station, ip));
  }
}

function isWorn({ direction, headers }: Sighting): boolean {
  const { ip } = innermost(headers);
  return direction === "in" && ip !== undefined && ip.ttl <= 1;
}

/** TCP repeats itself. */
function firstOfEach(sightings: readonly Sighting[]): readonly Sighting[] {
  const seen = new Set<string>();
  return sightings.filter(({ station, ifIndex, direction, headers }) => {
    const place = `${station} ${ifIndex} ${direction} ${innermost(headers).ip?.src ?? ""}`;
    if (seen.has(place)) return false;
    seen.add(place);
    return true;
  });
}

export function hasAddress({ addresses }: Pick<Station, "addresses">, ip: Ip): boolean {
  return addresses.some((address) => address.ip === ip);
}

export function linkOf({ links }: Station, ifIndex: number | undefined): LinkFacts | undefined {
  return links.find(({ index }) => index === ifIndex);
}

/** Whether packets that leave by it are encrypted: by the kernel's device, or by `wireguard-go` behind one of tun's. */
export function isWireguard({ kind, name }: LinkFacts): boolean {
  return kind === "wireguard" || (kind === "tun" && name.startsWith("wireguard"));
}

/** As people call it; its number where it has gone. */
export function linkName(station: Station, ifIndex: number): string {
  return linkOf(station, ifIndex)?.name ?? `interface ${ifIndex}`;
}

export function lookupOf({ lookups }: Station, { dst, src, inIfIndex }: Question): Lookup | undefined {
  return lookups.find((lookup) => lookup.dst === dst && lookup.src === src && lookup.inIfIndex === inIfIndex);
}

/** What a station that has taken the packet in looks up: the way of the packet, or of the one around it where that is for somebody else. */
export function forwardedBy(
  station: Pick<Station, "addresses">,
  { ifIndex, headers }: Pick<Sighting, "ifIndex" | "headers">,
  { src, dst }: { readonly src: Ip; readonly dst: Ip },
): Required<Question> {
  const outer = outerIp(headers);
  const ends = outer === undefined || hasAddress(station, outer.dst) ? { src, dst } : outer;
  return { src: ends.src, dst: ends.dst, inIfIndex: ifIndex };
}

/** Whom the route hands packets to over the interface: its gateway, or the destination itself. */
export function nextHopOf({ gateway, nextHops }: RouteFacts, ifIndex: number, dst: Ip): Ip {
  return gateway ?? nextHops?.find((hop) => hop.ifIndex === ifIndex)?.gateway ?? dst;
}

/** The interface that the route leads to, the first of several. */
export function outIfIndexOf({ ifIndex, nextHops }: RouteFacts): number | undefined {
  return ifIndex ?? nextHops?.[0]?.ifIndex;
}

export function neighbourOf(
  list: readonly NeighbourFacts[],
  ifIndex: number,
  ip: Ip,
): NeighbourFacts | undefined {
  return list.find((neighbour) => neighbour.ifIndex === ifIndex && neighbour.ip === ip);
}

/** Of the routes read, the one that holds the address with the longest prefix, and the lowest metric among those. */
export function longestMatch(routes: readonly RouteFacts[], ip: Ip): RouteFacts | undefined {
  return routes
    .filter(({ dst }) => cidrContainsIp(dst, ip))
    .sort((a, b) => prefixLengthOf(b.dst) - prefixLengthOf(a.dst) || a.metric - b.metric)[0];
}

/** Whether the packet is inside another that is addressed to the station. */
export function isTunnelledTo(station: Station, { headers }: Sighting): boolean {
  const outer = outerIp(headers);
  return outer !== undefined && hasAddress(station, outer.dst);
}
