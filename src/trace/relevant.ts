// SPDX-License-Identifier: Apache-2.0
import { cidrContainsIp } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { isIp } from "./headers.ts";
import type { NeighbourFacts, Probe, Sighting, Station } from "./observation.ts";
import { nextHopOf, outIfIndexOf } from "./view.ts";

/** Of links that are no ends of containers. */
const MOST_LINKS = 64;
const MOST_ADDRESSES = 128;

/**
 * What of a station tells something of this probe, where it has to be sent to another node: a node may have hundreds of links and thousands of neighbours.
 * `ends` are names of links that count whether the packet has passed there or not.
 */
export function relevantPart(
  station: Station,
  probe: Probe,
  sightings: readonly Sighting[],
  ends: readonly string[],
): Station {
  const routes = station.lookups.flatMap(({ result }) => (result.kind === "route" ? [result.route] : []));
  const own = sightings.filter(({ station: name }) => name === station.name);
  const passed = new Set([...own.map(({ ifIndex }) => ifIndex), ...routes.map(outIfIndexOf)]);
  const links = [
    ...station.links.filter(({ index, name }) => passed.has(index) || ends.includes(name)),
    ...station.links.filter(({ index, name }) => !passed.has(index) && !name.startsWith("cali")),
  ].slice(0, MOST_LINKS);
  const isKept = ({ ifIndex }: { readonly ifIndex: number }): boolean =>
    links.some(({ index }) => index === ifIndex);
  const hops = new Set<Ip>([probe.src, probe.dst, ...nextHops(station)]);
  const near = (list: readonly NeighbourFacts[]): readonly NeighbourFacts[] =>
    list.filter((one) => isKept(one) && hops.has(one.ip));
  const neighbours = { before: near(station.neighbours.before), after: near(station.neighbours.after) };
  const macs = new Set(neighbours.after.map(({ mac }) => mac));
  const { forwarding, peers, filters } = station;
  return {
    ...station,
    links,
    addresses: station.addresses.filter(isKept).slice(0, MOST_ADDRESSES),
    neighbours,
    ...(forwarding !== undefined && { forwarding: forwarding.filter(({ mac }) => macs.has(mac)) }),
    ...(peers !== undefined && { peers: peersOf(peers, probe) }),
    ...(filters !== undefined && { filters: filtersAbout(filters, addressesIn(own, probe)) }),
  };
}

function nextHops({ lookups }: Station): readonly Ip[] {
  return lookups.flatMap(({ dst, result }) => {
    const out = result.kind === "route" ? outIfIndexOf(result.route) : undefined;
    return result.kind === "route" && out !== undefined ? [nextHopOf(result.route, out, dst)] : [];
  });
}

function peersOf(peers: NonNullable<Station["peers"]>, { src, dst }: Probe): NonNullable<Station["peers"]> {
  return peers
    .map((peer) => ({
      ...peer,
      allowedIps: peer.allowedIps.filter((cidr) => cidrContainsIp(cidr, src) || cidrContainsIp(cidr, dst)),
    }))
    .filter(({ allowedIps }) => allowedIps.length > 0);
}

function addressesIn(sightings: readonly Sighting[], { src, dst }: Probe): ReadonlySet<string> {
  return new Set<string>([
    src,
    dst,
    ...sightings.flatMap(({ headers }) => headers.filter(isIp).flatMap((header) => [header.src, header.dst])),
  ]);
}

/** Elements are addresses, or an interface and an address. */
function filtersAbout(
  filters: NonNullable<Station["filters"]>,
  addresses: ReadonlySet<string>,
): NonNullable<Station["filters"]> {
  const entries = Object.entries(filters).map(
    ([name, elements]) =>
      [name, elements.filter((element) => addresses.has(element.split(" ").at(-1) ?? ""))] as const,
  );
  return Object.fromEntries(entries);
}
