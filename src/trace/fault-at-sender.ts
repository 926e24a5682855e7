// SPDX-License-Identifier: Apache-2.0
// Nothing was seen leaving the sender.
import { type Place, fault, switchedOff } from "./fault.ts";
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
