// SPDX-License-Identifier: Apache-2.0
// The packet came to a station that is not its end, and left it by no interface.
import { familyOf } from "../net/ip.ts";
import { type Place, fault, switchedOff, faultOfPort, routeOn } from "./fault.ts";
import { innermost, isIp, outerIp } from "./headers.ts";
import type { LinkFacts, RouteFacts, Sighting } from "./observation.ts";
import type { Fault } from "./trace.ts";
import {
  forwardedBy,
  isTunnelledTo,
  linkName,
  linkOf,
  longestMatch,
  lookupOf,
  neighbourOf,
  nextHopOf,
  outIfIndexOf,
} from "./view.ts";
import { RESOLUTIONS, describeRoute, describeRule } from "./words.ts";

/** It came to a station that is not its end, and left it by no interface. */
export function inStation(whole: Place, last: Sighting): Fault {
  const { station } = whole;
  const { inIfIndex, ...ends } = forwardedBy(station, last, whole.leg);
  const leg = { ...whole.leg, ...ends };
  const place = { ...whole, leg };
  if (isTunnelledTo(station, last)) {
    const tunnel = faultOfTunnelEnd(place, last);
    if (tunnel !== undefined) return tunnel;
  }
  const source = faultOfSourceCheck(place, last);
  if (source !== undefined) return source;
  const answer = lookupOf(station, { ...ends, inIfIndex })?.result;
  if (answer?.kind === "refused") return refusal(place, last, answer.code);
  return (answer && faultOfWayOut(place, last, answer.route)) ?? dropped(place, last, answer?.route);
}

/** What is inside another packet was not seen coming out of it, and may not have. */
function faultOfTunnelEnd(place: Place, last: Sighting): Fault | undefined {
  const { station } = place;
  const outer = outerIp(last.headers);
  const ifName = linkName(station, last.ifIndex);
  if (outer === undefined) return undefined;
  const table = outer.kind === "ipv4" ? "ip margay" : "ip6 margay";
  const nodes = station.filters?.[`${table} nodes`];
  const isGuarded = nodes !== undefined && !nodes.includes(outer.src);
  if (isGuarded)
    return fault(
      place,
      "tunnelGuard",
      ifName,
      `"${station.name}" drops what comes through the tunnel from ${outer.src}: the guard of tunnels (nftables "${table}") does not know that address as a node's.`,
      `See whether the node has registered that address ("margay get nodes -o wide"), and whether the agent of "${station.name}" runs ("margay node status").`,
    );
  const kind = outer.protocol === 4 ? "ipip" : "vxlan";
  const device = station.links.find((link) => link.kind === kind && isOver(link, outer.kind));
  if (device?.up === false) return switchedOff(place, station, device);
  if (device !== undefined || kind === "ipip") return undefined;
  return fault(
    place,
    "tunnel",
    ifName,
    `"${station.name}" has no VXLAN device, so it does not open what ${outer.src} sends it.`,
    `The agent of "${station.name}" makes it: "margay node status" there says what keeps it.`,
  );
}

/** Whether the device's packets are of that family, as far as its kind tells. */
function isOver({ vxlanFamily }: LinkFacts, kind: "ipv4" | "ipv6"): boolean {
  return vxlanFamily === undefined || vxlanFamily === (kind === "ipv4" ? 4 : 6);
}

function faultOfSourceCheck(place: Place, last: Sighting): Fault | undefined {
  const { leg, station } = place;
  const ifName = linkName(station, last.ifIndex);
  const known = station.filters?.[`inet margay-source own${familyOf(leg.src)}`];
  if (known === undefined || !ifName.startsWith("cali") || known.includes(`${ifName} . ${leg.src}`))
    return undefined;
  return fault(
    place,
    "sourceCheck",
    ifName,
    `"${station.name}" drops what comes from "${ifName}" with the source address ${leg.src}: the check of source addresses (nftables "inet margay-source") does not have it as one of that container's.`,
    `See which addresses the endpoint has ("margay get workloadendpoints -A -o wide"); a running agent keeps the check as that says ("margay node status").`,
  );
}

/** The kernel's own verdict on such a packet. */
function refusal(place: Place, last: Sighting, code: string): Fault {
  const { leg, station } = place;
  const { src, dst } = leg;
  const ifName = linkName(station, last.ifIndex);
  const said = (name: string): string | undefined => station.settings[name];
  if (familyOf(dst) === 4 && said(`net/ipv4/conf/${ifName}/forwarding`) === "0")
    return fault(
      place,
      "forwardingOff",
      ifName,
      `"${station.name}" does not forward what comes in by "${ifName}": forwarding is off${said("net/ipv4/ip_forward") === "0" ? " (net.ipv4.ip_forward is 0)" : " for that interface"}.`,
      said("net/ipv4/ip_forward") === "0"
        ? `Turn it on: "sysctl -w net.ipv4.ip_forward=1" on "${station.name}", and find out who turned it off; a running agent does that by itself.`
        : `Turn it on: "sysctl -w net/ipv4/conf/${ifName}/forwarding=1" on "${station.name}".`,
    );
  const match = longestMatch(station.routes ?? [], dst);
  if (match !== undefined && match.type !== "unicast" && match.type !== "local")
    return fault(
      place,
      "blackhole",
      null,
      `"${station.name}" has no container with the address ${dst}: its longest match is ${describeRoute(match, null)}, and drops the packet.`,
      `See who has the address: "margay ipam show --ip=${dst}". If its container should be on "${station.name}", the agent there says what keeps its route ("margay node status").`,
    );
  if (familyOf(dst) === 4 && code === "EINVAL") {
    const strict = Math.max(
      Number(said("net/ipv4/conf/all/rp_filter") ?? 0),
      Number(said(`net/ipv4/conf/${ifName}/rp_filter`) ?? 0),
    );
    const back = longestMatch(station.routes ?? [], src);
    const way =
      back === undefined ? "it has no route back there" : `its route back is ${routeOn(station, back)}`;
    return fault(
      place,
      "reversePath",
      ifName,
      `"${station.name}" drops what comes in by "${ifName}" from ${src}: the reverse-path filter (rp_filter ${strict}) wants such packets by the interface that leads back, and ${way}.`,
      `Put the route back right, or relax the filter: "sysctl -w net/ipv4/conf/${ifName}/rp_filter=0" and the same of "all".`,
    );
  }
  return noRoute(place, code);
}

function noRoute(place: Place, code: string): Fault {
  const { leg, view, station } = place;
  const container = view.owner(leg.dst);
  const owner = view.stations.find(({ name }) => name === container?.attachment?.node);
  const dead = [
    ...(owner === undefined || owner.processes?.agent !== false ? [] : ["the agent"]),
    ...(owner === undefined || owner.processes?.bird !== false ? [] : ["BIRD"]),
  ];
  const text = `"${station.name}" has no route to ${leg.dst} (${code}).`;
  const status = '"margay node status" there says who it speaks with, and "margay node check" what is amiss.';
  if (owner !== undefined && owner.name !== station.name && dead.length > 0)
    return fault(
      place,
      "noRoute",
      null,
      `${text} The address is on "${owner.name}", where ${dead.join(" and ")} ${dead.length === 1 ? "does" : "do"} not run, so nobody announces it.`,
      `Start the agent of "${owner.name}"; it starts BIRD, which announces the node's blocks again.`,
    );
  if (owner?.name === station.name)
    return fault(
      place,
      "noRoute",
      null,
      `${text} The address is that of its own container "${container?.name ?? ""}".`,
      `The agent of "${station.name}" makes that route: ${status}`,
    );
  const where =
    owner === undefined ? "" : ` The address is on "${owner.name}", whose block has not arrived here.`;
  return fault(
    place,
    "noRoute",
    null,
    `${text}${where}`,
    `Routes to other nodes come from BIRD or the agent of "${station.name}": ${status}`,
  );
}

/** Of all interfaces at once: those of each do not count where packets are sent on. */
const FORWARDING6 = "net/ipv6/conf/all/forwarding";

/** Unlike that of IPv4, the kernel's lookup does not tell. */
function notForwarding6(place: Place, last: Sighting): Fault {
  const { station } = place;
  return fault(
    place,
    "forwardingOff",
    linkName(station, last.ifIndex),
    `"${station.name}" does not forward IPv6: forwarding is off (net.ipv6.conf.all.forwarding is 0).`,
    `Turn it on: "sysctl -w net.ipv6.conf.all.forwarding=1" on "${station.name}", and find out who turned it off; a running agent does that by itself.`,
  );
}

/** There is a route, and the packet did not leave by it. */
function faultOfWayOut(place: Place, last: Sighting, route: RouteFacts): Fault | undefined {
  const { leg, station } = place;
  const out = outIfIndexOf(route);
  const link = linkOf(station, out);
  if (out === undefined || link === undefined || route.type === "local") return undefined;
  if (familyOf(leg.dst) === 6 && station.settings[FORWARDING6] === "0") return notForwarding6(place, last);
  if (!link.up) return switchedOff(place, station, link);
  // A packet around it that is for somebody else is what is sent on.
  const ip = isTunnelledTo(station, last) ? innermost(last.headers).ip : last.headers.find(isIp);
  if (ip !== undefined && ip.ttl <= 1)
    return fault(
      place,
      "hopLimit",
      null,
      `The packet came to "${station.name}" with a TTL of ${ip.ttl}: it has gone in a circle.`,
      `Look at the routes to ${leg.dst} on every node that the packet passed.`,
    );
  const mtu = Math.min(link.mtu, route.mtu ?? link.mtu);
  if (ip !== undefined && ip.length > mtu)
    return fault(
      place,
      "mtu",
      link.name,
      `The packet has ${ip.length} octets and may not be fragmented, and the way on by "${link.name}" takes ${mtu} at most${route.mtu === undefined ? "" : ", so that there is room for the outer header"}.`,
      `Give containers an interface of ${mtu} octets or less (FelixConfiguration, or "mtu" of the network), or raise the underlay's; "margay node check" measures the paths.`,
    );
  const hop = nextHopOf(route, out, leg.dst);
  const off = faultOfPort(place, hop);
  if (off !== undefined) return off;
  if (!link.running)
    return fault(
      place,
      "linkDown",
      link.name,
      `"${link.name}" of "${station.name}" has no carrier: nothing is at its other end.`,
      `See what it is connected to: "ip link show ${link.name}".`,
    );
  const entry = neighbourOf(station.neighbours.after, out, hop);
  if (link.mac === undefined || (entry?.mac !== undefined && entry.state !== "unknown")) return undefined;
  return fault(
    place,
    "neighbour",
    link.name,
    `"${station.name}" asks for ${hop} on "${link.name}" by ${RESOLUTIONS[familyOf(hop)]}, and nobody answers: the peer is dead, or on another network.`,
    `See whether ${hop} is up, and on the network of "${link.name}": "ping ${hop}" on "${station.name}".`,
  );
}

function dropped(place: Place, last: Sighting, route: RouteFacts | undefined): Fault {
  const { leg, view, station } = place;
  const ifName = linkName(station, last.ifIndex);
  const { drop } = view.observation;
  if (drop?.station === station.name)
    return fault(
      place,
      "dropped",
      ifName,
      `The packet came to "${station.name}" by "${ifName}", and nftables drops ${drop.isAround ? "the outer packet" : "it"} there, by ${describeRule(drop)}.`,
      `Somebody's firewall: "nft -a list table ${drop.table}" on "${station.name}" shows the rule, and what it is for.`,
    );
  const wanted = route === undefined ? "" : ` Its kernel would send it on by ${routeOn(station, route)}.`;
  return fault(
    place,
    "dropped",
    ifName,
    `The packet came to "${station.name}" by "${ifName}", and was not seen leaving.${wanted}`,
    `Something on "${station.name}" drops it: look at "nft list ruleset", "iptables-save -c", "tc filter show dev ${ifName} ingress", and at "nstat -az" before and after "ping ${leg.dst}".`,
  );
}
