// SPDX-License-Identifier: Apache-2.0
// Where a way ended, and why: the last capture point that the packet passed, and what that station's kernel says about going on from
// there. Called only where the answer did not come back, so no healthy network is ever looked at in here.
import type { Ip } from "../net/ip.ts";
import { atSender } from "./fault-at-sender.ts";
import { inStation } from "./fault-in-station.ts";
import { type Place, fault, faultOfPort, portOf } from "./fault.ts";
import { outerIp } from "./headers.ts";
import type { Sighting } from "./observation.ts";
import type { Fault } from "./trace.ts";
import { type Leg, type View, forwardedBy, linkName, linkOf, lookupOf, nextHopOf } from "./view.ts";

/** Why the leg does not reach its end. */
export function findFault(leg: Leg, view: View): Fault {
  const last = leg.worn ?? leg.path.at(-1);
  const at = last === undefined ? leg.from : view.station(last.station);
  if (at === undefined)
    return {
      direction: leg.direction,
      station: view.observation.source,
      ifName: null,
      cause: "lost",
      text: "What became of the probe beyond this node cannot be seen from here, and no answer came back.",
      remedy: `Trace from the node that has ${leg.src} as well: what it takes in, and what it sends back.`,
    };
  const place: Place = { leg, view, station: at };
  if (last === undefined) return atSender(place);
  return last.direction === "out" ? betweenStations(place, last) : inStation(place, last);
}

/** It left a station, and came to no other. */
function betweenStations(place: Place, last: Sighting): Fault {
  const { leg, view, station } = place;
  const ifName = linkName(station, last.ifIndex);
  const link = linkOf(station, last.ifIndex);
  const outer = outerIp(last.headers);
  if (outer === undefined && (link?.kind === "vxlan" || link?.kind === "ipip"))
    return fault(
      place,
      "tunnel",
      ifName,
      `"${ifName}" of "${station.name}" took the packet, and nothing came out on the underlay.`,
      `Look at its forwarding entries and at the way to the other node: "bridge fdb show dev ${ifName}", "ip neighbour show dev ${ifName}".`,
    );
  const towards = outer?.dst ?? nextHop(place, last) ?? leg.dst;
  const off = faultOfPort(place, towards);
  if (off !== undefined) return off;
  const owner = view.owner(towards);
  const port = owner && portOf(owner, towards);
  const ethernet = last.headers.find((header) => header.kind === "ethernet");
  if (owner !== undefined && port?.mac !== undefined && ethernet !== undefined && port.mac !== ethernet.dst)
    return fault(
      place,
      "neighbour",
      ifName,
      `"${station.name}" sent the packet to ${ethernet.dst}, and ${towards} of "${owner.name}" is at ${port.mac}.`,
      `Have it ask anew: "ip neighbour flush to ${towards}" on "${station.name}".`,
    );
  if (leg.to === undefined && owner === undefined) return beyondSight(place, ifName, towards);
  const whom = owner === undefined ? towards : `${towards} of "${owner.name}"`;
  return fault(
    place,
    "lost",
    ifName,
    `The packet left "${station.name}" by "${ifName}" for ${whom}, and was not seen arriving.`,
    `Look at what lies between: cables, switches, firewalls${outer === undefined ? "" : ` that do not let ${outer.protocol === 4 ? "IP protocol 4" : "UDP to the VXLAN port"} pass`}; and try "ping ${towards}" on "${station.name}".`,
  );
}

/** Whoever has it there, nobody looks at. */
function beyondSight(place: Place, ifName: string, towards: Ip): Fault {
  const { view, station } = place;
  const { silence } = view.observation;
  const why = silence === undefined ? "" : ` (${silence})`;
  return fault(
    place,
    "lost",
    ifName,
    `The packet left "${station.name}" by "${ifName}" for ${towards}, beyond which nothing can be seen from here${why}, and no answer came back.`,
    `Trace from the node that has the destination as well: what it takes in, and what it sends back; and try "ping ${towards}" on "${station.name}".`,
  );
}

function nextHop({ leg, station }: Place, last: Sighting): Ip | undefined {
  const came = leg.path.at(-2);
  const question =
    came?.station === station.name ? forwardedBy(station, came, leg) : { src: leg.src, dst: leg.dst };
  const answer = lookupOf(station, question)?.result;
  return answer?.kind === "route" ? nextHopOf(answer.route, last.ifIndex, leg.dst) : undefined;
}
