// SPDX-License-Identifier: Apache-2.0
// What all faults have in common.
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { LinkFacts, RouteFacts, Station } from "./observation.ts";
import type { Cause, Fault } from "./trace.ts";
import { type Leg, type View, linkName, linkOf, outIfIndexOf } from "./view.ts";
import { describeRoute } from "./words.ts";

export interface Place {
  readonly leg: Leg;
  readonly view: View;
  readonly station: Station;
}

export function fault(
  { leg, station }: Place,
  cause: Cause,
  ifName: string | null,
  text: string,
  remedy: string,
): Fault {
  return { direction: leg.direction, station: station.name, ifName, cause, text, remedy };
}

/** What gives a container its ways out back. */
export const WAYS_OUT: Readonly<Record<Family, string>> = {
  4: '"ip route add 169.254.1.1 dev eth0 scope link", then "ip route add default via 169.254.1.1 dev eth0"',
  6: '"ip route add default via fe80::ecee:eeff:feee:eeee dev eth0"',
};

export function switchedOff(place: Place, station: Station, { name }: LinkFacts): Fault {
  const routes =
    station.kind === "container"
      ? ` Its routes went with it: ${WAYS_OUT[familyOf(place.leg.dst)].replaceAll("eth0", name)}; or have the runtime make the container anew.`
      : "";
  return fault(
    place,
    "linkDown",
    name,
    `"${name}" of "${station.name}" is switched off.`,
    `Switch it on: "ip link set ${name} up".${routes}`,
  );
}

/** Whoever has the address may be switched off. */
export function faultOfPort(place: Place, ip: Ip): Fault | undefined {
  const owner = place.view.owner(ip);
  const port = owner && portOf(owner, ip);
  return owner === undefined || port?.up !== false
    ? undefined
    : switchedOff({ ...place, station: owner }, owner, port);
}

/** The interface of the station with that address. */
export function portOf(station: Station, ip: Ip): LinkFacts | undefined {
  return linkOf(station, station.addresses.find((address) => address.ip === ip)?.ifIndex);
}

export function routeOn(station: Station, route: RouteFacts): string {
  const out = outIfIndexOf(route);
  return describeRoute(route, out === undefined ? null : linkName(station, out));
}
