// SPDX-License-Identifier: Apache-2.0
// Nothing was seen leaving the sender.
import { type Ip, familyOf } from "../net/ip.ts";
import { type Place, WAYS_OUT, fault, switchedOff } from "./fault.ts";
import type { Fault } from "./trace.ts";
import { hasAddress, linkName, lookupOf, neighbourOf, nextHopOf, outIfIndexOf } from "./view.ts";

/** Nothing was seen leaving the sender. */
export function atSender(place: Place): Fault {
  const { leg, view } = place;
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
    `"${station.name}" has no route to ${dst}${answer === undefined ? "" : ` (${answer.code})`}: it lacks its default route.`,
    `Give it back: ${WAYS_OUT[familyOf(dst)]} inside; or have the runtime make the container anew.`,
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
  const { leg, station } = place;
  const answer = lookupOf(station, { src: leg.src, dst: leg.dst })?.result;
  const out = answer?.kind === "route" ? outIfIndexOf(answer.route) : undefined;
  if (answer?.kind !== "route" || out === undefined) return undefined;
  const gateway = nextHopOf(answer.route, out, leg.dst);
  const entry = neighbourOf(station.neighbours.after, out, gateway);
  if (entry?.mac !== undefined && entry.state !== "unknown") return undefined;
  const ifName = linkName(station, out);
  return familyOf(gateway) === 4
    ? faultOfProxyArp(place, ifName, gateway)
    : faultOfNodeEnd(place, ifName, gateway);
}

function faultOfProxyArp(place: Place, ifName: string, gateway: Ip): Fault {
  const { view, station } = place;
  const unanswered = `"${station.name}" asks for ${gateway} on "${ifName}" by ARP, and nobody answers`;
  const renew = `ip neighbour replace ${gateway} lladdr ee:ee:ee:ee:ee:ee nud permanent dev ${ifName}`;
  const { attachment } = station;
  const node = view.stations.find(({ name }) => name === attachment?.node);
  if (attachment === undefined || node === undefined)
    return fault(place, "neighbour", ifName, `${unanswered}.`, `Look at the other end of "${ifName}".`);
  const setting = `net/ipv4/conf/${attachment.ifName}/proxy_arp`;
  if (node.settings[setting] === "0")
    return fault(
      { ...place, station: node },
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

/** The gateway of IPv6 is an address of the node's end of the link. */
function faultOfNodeEnd(place: Place, ifName: string, gateway: Ip): Fault {
  const { view, station } = place;
  const { attachment } = station;
  const node = view.stations.find(({ name }) => name === attachment?.node);
  const nodeEnd = node?.links.find(({ name }) => name === attachment?.ifName);
  const has = node?.addresses.some(({ ifIndex, ip }) => ifIndex === nodeEnd?.index && ip === gateway);
  const unanswered = `"${station.name}" asks for ${gateway} on "${ifName}" by neighbour discovery, and nobody answers`;
  const renew = `ip neighbour replace ${gateway} lladdr ee:ee:ee:ee:ee:ee nud permanent dev ${ifName}`;
  if (node === undefined || nodeEnd === undefined || has !== false)
    return fault(
      place,
      "neighbour",
      ifName,
      `${unanswered}, and the permanent entry that needs no answer is gone.`,
      `Enter it again inside the container: "${renew}".`,
    );
  return fault(
    { ...place, station: node },
    "neighbour",
    nodeEnd.name,
    `${unanswered}: "${nodeEnd.name}" of "${node.name}" does not have that address, and the permanent entry that needs no answer is gone.`,
    `Enter it again inside the container, "${renew}", or give the node its address back: "ip address add ${gateway}/64 dev ${nodeEnd.name}"; a running agent does that by itself.`,
  );
}

/** What a container is told where it may answer no echo. */
const IGNORES = { 4: "net/ipv4/icmp_echo_ignore_all", 6: "net/ipv6/icmp/echo_ignore_all" } as const;

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
  const setting = IGNORES[familyOf(leg.dst)];
  const name = setting.replaceAll("/", ".");
  const ignores = station.settings[setting] === "1";
  return fault(
    place,
    "noAnswer",
    null,
    `The probe was delivered to "${station.name}", which did not answer.${ignores ? " It is told to answer no echo (${name})." : ""}`,
    ignores
      ? `Turn that off, "sysctl -w ${name}=0" inside, or trace with "--proto udp" or "tcp".`
      : 'The network did its part. Look inside the container: its firewall ("nft list ruleset"), and what listens ("ss -lntu").',
  );
}
