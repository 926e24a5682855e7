// SPDX-License-Identifier: Apache-2.0
// Facts in plain words.
import { DEFAULT_ROUTES } from "../net/cidr.ts";
import { ICMP_FRAGMENTATION_NEEDED, type Header, type Ipv4Header, ICMP_UNREACHABLE } from "./headers.ts";
import type { Probe, RouteFacts } from "./observation.ts";
import type { Fact } from "./trace.ts";

// `RTPROT_*` of linux/rtnetlink.h; 80 is Margay's own.
const INSTALLERS: Readonly<Record<number, string>> = {
  2: "the kernel",
  3: "the CNI plugin, or a command",
  4: "an administrator",
  12: "BIRD",
  16: "DHCP",
  80: "Margay",
};

/** One fact as a sentence without its place: what the station does, sees or knows. */
export function describeFact(fact: Fact): string {
  switch (fact.kind) {
    case "route":
      return describeLookup(fact);
    case "neighbour":
      return describeNeighbour(fact);
    case "seen":
      return `${fact.direction === "in" ? "in by" : "out by"} ${fact.ifName}: ${describeHeaders(fact.headers)}`;
    case "encapsulated": {
      const who = fact.by === null ? "a program (BPF) on the interface" : `the device ${fact.by}`;
      return `${who} puts it into another packet (${TUNNELS[fact.as]}): ${describeIp(fact.outer)}, ${ROOM[fact.as]} octets more`;
    }
    case "decapsulated": {
      const who = fact.by === null ? "a program (BPF) on the interface" : `the device ${fact.by}`;
      return `the outer packet is addressed to this node, and ${who} takes the inner one out (${TUNNELS[fact.as]} from ${fact.outer.src})`;
    }
    case "encrypted":
      return `${fact.ifName} encrypts it (WireGuard); on the underlay nobody can tell it from other packets between these nodes, so it is not shown there`;
    case "unobserved":
      return "from here on it cannot be seen from this node";
    case "delivered":
      return `${fact.ip} is its own address: delivered`;
    case "answered":
      return `the answer is there, ${formatUs(fact.afterUs)} after the probe left`;
  }
}

const TUNNELS = { ipip: "IPIP", vxlan: "VXLAN" } as const;
/** Octets that the tunnel adds to an IPv4 packet: IPv4; IPv4, UDP, VXLAN and Ethernet. */
const ROOM = { ipip: 20, vxlan: 50 } as const;

function describeLookup(fact: Fact & { readonly kind: "route" }): string {
  const { dst, route, ifName, of, isHostAddress } = fact;
  const found = `${describeRoute(route, ifName)} (from ${installerOf(route)})`;
  if (of === "outer") return `looks up the outer packet's ${dst}: ${found}`;
  if (of === "forwarded") return `looks up ${dst}, to forward it: ${found}`;
  const why =
    isHostAddress && route.gateway !== undefined
      ? ". Its own address is a /32, so every other one is behind the gateway"
      : "";
  return `looks up ${dst}: ${found}${why}`;
}

function describeNeighbour({ ip, mac, ifName, origin }: Fact & { readonly kind: "neighbour" }): string {
  const how = {
    permanent: "by a permanent entry, so without ARP",
    known: "known by ARP from before",
    resolved: "asked by ARP just now",
  }[origin];
  return `${ip} on ${ifName} is at ${mac}, ${how}`;
}

/** A route as `ip route` shows it. `ifName` is that of its interface; null where it leads to none. */
export function describeRoute(route: RouteFacts, ifName: string | null): string {
  const { type, dst, gateway, onlink, mtu, nextHops } = route;
  return [
    type === "unicast" ? "" : type,
    dst === DEFAULT_ROUTES[4] ? "default" : dst,
    gateway === undefined ? "" : `via ${gateway}`,
    ifName === null ? "" : `dev ${ifName}`,
    onlink ? "onlink" : "",
    mtu === undefined ? "" : `mtu ${mtu}`,
    nextHops === undefined ? "" : `and ${nextHops.length - 1} more ways`,
  ]
    .filter((part) => part !== "")
    .join(" ");
}

export function installerOf({ protocol }: Pick<RouteFacts, "protocol">): string {
  return INSTALLERS[protocol] ?? `routing protocol ${protocol}`;
}

/** The headers from the outermost in, each in brackets. */
export function describeHeaders(headers: readonly Header[]): string {
  return headers.map((header) => `[${describeHeader(header)}]`).join(" ");
}

function describeHeader(header: Header): string {
  switch (header.kind) {
    case "ethernet":
      return `${header.src} > ${header.dst}`;
    case "ipv4":
      return describeIp(header);
    case "icmp":
      return describeIcmp(header);
    case "udp":
    case "tcp": {
      const flags =
        header.flags === undefined || header.flags.length === 0 ? "" : ` ${header.flags.join(" ")}`;
      return `${header.kind.toUpperCase()} ${header.srcPort} > ${header.dstPort}${flags}`;
    }
    case "vxlan":
      return `VXLAN ${header.vni}`;
  }
}

function describeIp({ src, dst, protocol, ttl, length }: Ipv4Header): string {
  const inner = protocol === 4 ? ", protocol 4" : "";
  return `IP ${src} > ${dst}${inner}, ttl ${ttl}, ${length} octets`;
}

const ICMP_NAMES: Readonly<Record<number, string>> = {
  0: "echo reply",
  3: "unreachable",
  4: "source quench",
  5: "redirect",
  8: "echo request",
  11: "time exceeded",
  12: "parameter problem",
};
/** Codes of "unreachable" (RFC 792, RFC 1812 section 5.2.7.1). */
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: "network unreachable",
  1: "host unreachable",
  2: "protocol unreachable",
  3: "port unreachable",
  4: "fragmentation needed",
  13: "prohibited",
};

/** `network unreachable`, `fragmentation needed, 1480 octets at most`. */
export function describeIcmp({ type, code, mtu }: Header & { readonly kind: "icmp" }): string {
  const isUnreachable = type === ICMP_UNREACHABLE;
  const name = (isUnreachable ? UNREACHABLE[code] : undefined) ?? ICMP_NAMES[type] ?? `type ${type}`;
  const room = isUnreachable && code === ICMP_FRAGMENTATION_NEEDED && mtu !== undefined;
  return `ICMP ${name}${room ? `, ${mtu} octets at most` : ""}`;
}

/** What is sent, and how it is told from everything else. */
export function describeProbe(probe: Probe): string {
  const { packetBytes } = probe;
  if (probe.kind === "icmp")
    return `ICMP echo of ${packetBytes} octets, marked by identifier ${probe.identifier} and sequence ${probe.sequence}`;
  const name = probe.kind === "udp" ? `UDP datagram of ${packetBytes} octets` : "TCP SYN";
  return `${name} to port ${probe.dstPort}, marked by source port ${probe.srcPort}`;
}

/** When it was seen, `at +10 µs`; empty for what was not. */
export function describeTime(fact: Fact): string {
  return fact.kind === "seen" ? ` at +${formatUs(fact.atUs)}` : "";
}

export function formatUs(us: number): string {
  return us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(2)} ms`;
}
