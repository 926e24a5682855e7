// SPDX-License-Identifier: Apache-2.0
// Where a way ended, and why: the last capture point that the packet passed, and what that station's kernel says about going on from
// there. Called only where the answer did not come back, so no healthy network is ever looked at in here.
import type { Ip } from "../net/ip.ts";
import { innermost, outerIp } from "./headers.ts";
import type { LinkFacts, RouteFacts, Sighting, Station } from "./observation.ts";
import type { Cause, Fault } from "./trace.ts";
import {
  type Leg,
  type View,
  hasAddress,
  isTunnelledTo,
  linkName,
  linkOf,
  longestMatch,
  lookupOf,
  neighbourOf,
  nextHopOf,
  outIfIndexOf,
} from "./view.ts";
import { describeRoute } from "./words.ts";

/** Why the leg does not reach its end. */
export function findFault(leg: Leg, view: View): Fault {
  const last = leg.path.at(-1);
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

interface Place {
  readonly leg: Leg;
  readonly view: View;
  readonly station: Station;
}

function fault(
  { leg, station }: Place,
  cause: Cause,
  ifName: string | null,
  text: string,
  remedy: string,
): Fault {
  return { direction: leg.direction, station: station.name, ifName, cause, text, remedy };
}

/** Nothing was seen leaving the sender. */
function atSender(place: Place): Fault {
  const { leg, view, station } = place;
  return (
    faultOfContainerLink(place) ??
    faultOfOwnRoute(place) ??
    (leg.direction === "there" && view.observation.sendError !== undefined
      ? faultOfSending(place, view.observation.sendError)
      : undefined) ??
    faultOfGateway(place) ??
    silence(place)
  );
}

function faultOfContainerLink(place: Place): Fault | undefined {
  const { station, view } = place;
  const { attachment } = station;
  const links = station.links.filter(({ name }) => name !== "lo");
  if (attachment !== undefined && links.length === 0)
    return fault(
      place,
      "linkDown",
      null,
      `"${station.name}" has no interface any more.`,
      "Have the runtime make the container anew: the plugin's ADD makes the interface.",
    );
  const off = links.find(({ up }) => !up);
  if (off !== undefined) return switchedOff(place, station, off);
  const dead = links.find(({ running }) => !running);
  if (dead === undefined || attachment === undefined) return undefined;
  const node = view.stations.find(({ name }) => name === attachment.node);
  const nodeEnd = node?.links.find(({ name }) => name === attachment.ifName);
  if (node !== undefined && nodeEnd?.up === false)
    return switchedOff({ ...place, station: node }, node, nodeEnd);
  return fault(
    place,
    "linkDown",
    dead.name,
    `"${dead.name}" of "${station.name}" has no carrier: its other end is gone or switched off.`,
    "Have the runtime make the container anew: the plugin's ADD makes both ends of the link.",
  );
}

function switchedOff(place: Place, station: Station, { name }: LinkFacts): Fault {
  const routes =
    station.kind === "container"
      ? ` Its routes went with it: "ip route add 169.254.1.1 dev ${name} scope link", then "ip route add default via 169.254.1.1 dev ${name}"; or have the runtime make the container anew.`
      : "";
  return fault(
    place,
    "linkDown",
    name,
    `"${name}" of "${station.name}" is switched off.`,
    `Switch it on: "ip link set ${name} up".${routes}`,
  );
}

function faultOfOwnRoute(place: Place): Fault | undefined {
  const { leg, station } = place;
  const { src, dst } = leg;
  const answer = lookupOf(station, { src, dst })?.result;
  if (answer?.kind === "route") return undefined;
  if (!hasAddress(station, src))
    return fault(
      place,
      "notSent",
      null,
      `"${station.name}" does not have the address ${src} that Margay has on record for it.`,
      "Have the runtime make the container anew: the plugin's ADD sets the address.",
    );
  return fault(
    place,
    "noRoute",
    null,
    `"${station.name}" has no route to ${dst}${answer === undefined ? "" : ` (${answer.code})`}: it lacks its default route by 169.254.1.1.`,
    'Give it back: "ip route add 169.254.1.1 dev eth0 scope link", then "ip route add default via 169.254.1.1 dev eth0" inside; or have the runtime make the container anew.',
  );
}

function faultOfSending(place: Place, code: string): Fault {
  const { leg, view, station } = place;
  const { packetBytes } = view.observation.probe;
  if (code !== "EMSGSIZE")
    return fault(
      place,
      "notSent",
      null,
      `The kernel of "${station.name}" did not take the probe (${code}).`,
      `Look at the container's own firewall and routes: "nft list ruleset" and "ip route get ${leg.dst}" inside.`,
    );
  const mtu = Math.min(...station.links.filter(({ name }) => name !== "lo").map((link) => link.mtu));
  return fault(
    place,
    "mtu",
    null,
    `The probe has ${packetBytes} octets, and the interface of "${station.name}" takes ${mtu} at most.`,
    `Trace with "--size ${mtu}" or less: longer packets leave the container in fragments or not at all.`,
  );
}

/** The gateway has to be known before a packet can leave. */
function faultOfGateway(place: Place): Fault | undefined {
  const { leg, view, station } = place;
  const answer = lookupOf(station, { src: leg.src, dst: leg.dst })?.result;
  const out = answer?.kind === "route" ? outIfIndexOf(answer.route) : undefined;
  if (answer?.kind !== "route" || out === undefined) return undefined;
  const gateway = nextHopOf(answer.route, out, leg.dst);
  const entry = neighbourOf(station.neighbours.after, out, gateway);
  if (entry?.mac !== undefined && entry.state !== "unknown") return undefined;
  const ifName = linkName(station, out);
  const unanswered = `"${station.name}" asks for ${gateway} on "${ifName}" by ARP, and nobody answers`;
  const renew = `ip neighbour replace ${gateway} lladdr ee:ee:ee:ee:ee:ee nud permanent dev ${ifName}`;
  const { attachment } = station;
  const node = view.stations.find(({ name }) => name === attachment?.node);
  if (attachment === undefined || node === undefined)
    return fault(place, "neighbour", ifName, `${unanswered}.`, `Look at the other end of "${ifName}".`);
  const setting = `net/ipv4/conf/${attachment.ifName}/proxy_arp`;
  if (node.settings[setting] === "0")
    return fault(
      place,
      "proxyArp",
      attachment.ifName,
      `${unanswered}: proxy ARP is off on "${attachment.ifName}" of "${node.name}", and the permanent entry that needs none is gone.`,
      `Enter it again inside the container, "${renew}", or turn proxy ARP on: "sysctl -w ${setting}=1" on "${node.name}"; a running agent does that by itself.`,
    );
  return fault(
    place,
    "proxyArp",
    ifName,
    `${unanswered}: proxy ARP answers only while "${node.name}" has a route to ${gateway}, and the permanent entry that needs none is gone.`,
    `Enter it again inside the container: "${renew}".`,
  );
}

function silence(place: Place): Fault {
  const { leg, station } = place;
  if (leg.direction === "there")
    return fault(
      place,
      "notSent",
      null,
      `The kernel of "${station.name}" took the probe, and it was not seen leaving.`,
      'Look at what drops packets inside the container: "nft list ruleset", "tc filter show dev eth0 egress".',
    );
  const ignores = station.settings["net/ipv4/icmp_echo_ignore_all"] === "1";
  return fault(
    place,
    "noAnswer",
    null,
    `The probe was delivered to "${station.name}", which did not answer.${ignores ? " It is told to answer no echo (net.ipv4.icmp_echo_ignore_all)." : ""}`,
    ignores
      ? 'Turn that off, "sysctl -w net.ipv4.icmp_echo_ignore_all=0" inside, or trace with "--proto udp" or "tcp".'
      : 'The network did its part. Look inside the container: its firewall ("nft list ruleset"), and what listens ("ss -lntu").',
  );
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
  const owner = view.owner(towards);
  const entry = owner?.addresses.find(({ ip }) => ip === towards);
  const port = owner && linkOf(owner, entry?.ifIndex);
  if (owner !== undefined && port !== undefined && !port.up)
    return switchedOff({ ...place, station: owner }, owner, port);
  const ethernet = last.headers.find((header) => header.kind === "ethernet");
  if (owner !== undefined && port?.mac !== undefined && ethernet !== undefined && port.mac !== ethernet.dst)
    return fault(
      place,
      "neighbour",
      ifName,
      `"${station.name}" sent the packet to ${ethernet.dst}, and ${towards} of "${owner.name}" is at ${port.mac}.`,
      `Have it ask anew: "ip neighbour flush to ${towards}" on "${station.name}".`,
    );
  const whom = owner === undefined ? `${towards}` : `${towards} of "${owner.name}"`;
  return fault(
    place,
    "lost",
    ifName,
    `The packet left "${station.name}" by "${ifName}" for ${whom}, and was not seen arriving.`,
    `Look at what lies between: cables, switches, firewalls${outer === undefined ? "" : ` that do not let ${outer.protocol === 4 ? "IP protocol 4" : "UDP to the VXLAN port"} pass`}; and try "ping ${towards}" on "${station.name}".`,
  );
}

function nextHop({ leg, station }: Place, last: Sighting): Ip | undefined {
  const came = leg.path.at(-2);
  const question =
    came?.station === station.name
      ? { src: leg.src, dst: leg.dst, inIfIndex: came.ifIndex }
      : { src: leg.src, dst: leg.dst };
  const answer = lookupOf(station, question)?.result;
  return answer?.kind === "route" ? nextHopOf(answer.route, last.ifIndex, leg.dst) : undefined;
}

/** It came to a station that is not its end, and left it by no interface. */
function inStation(place: Place, last: Sighting): Fault {
  const { leg, station } = place;
  if (isTunnelledTo(station, last)) {
    const tunnel = faultOfTunnelEnd(place, last);
    if (tunnel !== undefined) return tunnel;
  }
  const source = faultOfSourceCheck(place, last);
  if (source !== undefined) return source;
  const answer = lookupOf(station, { src: leg.src, dst: leg.dst, inIfIndex: last.ifIndex })?.result;
  if (answer?.kind === "refused") return refusal(place, last, answer.code);
  return (answer && faultOfWayOut(place, last, answer.route)) ?? dropped(place, last, answer?.route);
}

/** What is inside another packet was not seen coming out of it, and may not have. */
function faultOfTunnelEnd(place: Place, last: Sighting): Fault | undefined {
  const { station } = place;
  const outer = outerIp(last.headers);
  const ifName = linkName(station, last.ifIndex);
  if (outer === undefined) return undefined;
  const nodes = station.filters?.["ip margay nodes"];
  const isGuarded = nodes !== undefined && !nodes.includes(outer.src);
  if (isGuarded)
    return fault(
      place,
      "tunnelGuard",
      ifName,
      `"${station.name}" drops what comes through the tunnel from ${outer.src}: the guard of tunnels (nftables "ip margay") does not know that address as a node's.`,
      `See whether the node has registered that address ("margay get nodes -o wide"), and whether the agent of "${station.name}" runs ("margay node status").`,
    );
  const kind = outer.protocol === 4 ? "ipip" : "vxlan";
  const device = station.links.find((link) => link.kind === kind);
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

function faultOfSourceCheck(place: Place, last: Sighting): Fault | undefined {
  const { leg, station } = place;
  const ifName = linkName(station, last.ifIndex);
  const known = station.filters?.["inet margay-source own4"];
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
  if (said(`net/ipv4/conf/${ifName}/forwarding`) === "0")
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
  if (code === "EINVAL") {
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

/** There is a route, and the packet did not leave by it. */
function faultOfWayOut(place: Place, last: Sighting, route: RouteFacts): Fault | undefined {
  const { leg, station } = place;
  const out = outIfIndexOf(route);
  const link = linkOf(station, out);
  if (out === undefined || link === undefined || route.type === "local") return undefined;
  if (!link.up) return switchedOff(place, station, link);
  const { ip } = innermost(last.headers);
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
  if (!link.running)
    return fault(
      place,
      "linkDown",
      link.name,
      `"${link.name}" of "${station.name}" has no carrier: nothing is at its other end.`,
      `See what it is connected to: "ip link show ${link.name}".`,
    );
  const hop = nextHopOf(route, out, leg.dst);
  const entry = neighbourOf(station.neighbours.after, out, hop);
  if (link.mac === undefined || (entry?.mac !== undefined && entry.state !== "unknown")) return undefined;
  return fault(
    place,
    "neighbour",
    link.name,
    `"${station.name}" asks for ${hop} on "${link.name}" by ARP, and nobody answers: the peer is dead, or on another network.`,
    `See whether ${hop} is up, and on the network of "${link.name}": "ping ${hop}" on "${station.name}".`,
  );
}

function dropped(place: Place, last: Sighting, route: RouteFacts | undefined): Fault {
  const { leg, station } = place;
  const ifName = linkName(station, last.ifIndex);
  const wanted = route === undefined ? "" : ` Its kernel would send it on by ${routeOn(station, route)}.`;
  return fault(
    place,
    "dropped",
    ifName,
    `The packet came to "${station.name}" by "${ifName}", and was not seen leaving.${wanted}`,
    `Something on "${station.name}" drops it: look at "nft list ruleset", "iptables-save -c", "tc filter show dev ${ifName} ingress", and at "nstat -az" before and after "ping ${leg.dst}".`,
  );
}

function routeOn(station: Station, route: RouteFacts): string {
  const out = outIfIndexOf(route);
  return describeRoute(route, out === undefined ? null : linkName(station, out));
}
