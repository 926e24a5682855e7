// SPDX-License-Identifier: Apache-2.0
// Facts in plain words.
import { DEFAULT_ROUTES } from "../net/cidr.ts";
import { type Family, addressBits, familyOf } from "../net/ip.ts";
import {
  type Header,
  type IcmpHeader,
  type IpHeader,
  type ResolutionHeader,
  icmpErrorOf,
} from "./headers.ts";
import type { DropFacts, Probe, RouteFacts } from "./observation.ts";
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
    case "resolution":
      return `${fact.direction === "in" ? "in by" : "out by"} ${fact.ifName}: ${describeHeaders(fact.headers)}`;
    case "dropped":
      return `nftables drops ${fact.isAround ? "the outer packet" : "it"}, by ${describeRule(fact)}`;
    case "forwarding":
      return `${fact.ifName} sends frames for ${fact.mac} to ${fact.node}, by an entry of its forwarding table`;
    case "peer": {
      const where =
        fact.endpoint === null ? "whose endpoint is not known yet" : `with the endpoint ${fact.endpoint}`;
      return `${fact.ifName} has ${fact.allowedIp} among the allowed addresses of the peer ${fact.publicKey}, ${where}`;
    }
    case "encapsulated": {
      const who = fact.by === null ? `a program (BPF) on ${fact.ifName}` : `the device ${fact.by}`;
      return `${who} puts it into another packet (${TUNNELS[fact.as]}): ${describeIp(fact.outer)}, ${ROOM[fact.as][familyOf(fact.outer.dst)]} octets more`;
    }
    case "decapsulated": {
      const who = fact.by === null ? `a program (BPF) on ${fact.ifName}` : `the device ${fact.by}`;
      return `the outer packet is addressed to this node, and ${who} takes the inner one out (${TUNNELS[fact.as]} from ${fact.outer.src})`;
    }
    case "encrypted":
      return `${fact.ifName} encrypts it (WireGuard); on the underlay nobody can tell it from other packets between these nodes, so it is not shown there`;
    case "decrypted":
      return `${fact.ifName} has decrypted it (WireGuard)`;
    case "unobserved":
      return `from here on it cannot be seen from this node${fact.reason === undefined ? "" : `: ${fact.reason}`}`;
    case "delivered":
      return `${fact.ip} is its own address: delivered`;
    case "answered":
      return `the answer is there, ${formatUs(fact.afterUs)} after the probe left`;
  }
}

/** `the rule "ip protocol icmp drop" of chain "forward" in table "ip other"`. */
export function describeRule({ table, chain, rule }: Pick<DropFacts, "table" | "chain" | "rule">): string {
  const what = rule === null ? "the policy" : `the rule "${rule}"`;
  return `${what} of chain "${chain}" in table "${table}"`;
}

const TUNNELS = { ipip: "IPIP", vxlan: "VXLAN" } as const;
/** Octets that the tunnel adds to a packet, by the family of the outer one: IP; IP, UDP, VXLAN and Ethernet. */
const ROOM: Readonly<Record<"ipip" | "vxlan", Readonly<Record<Family, number>>>> = {
  ipip: { 4: 20, 6: 40 },
  vxlan: { 4: 50, 6: 70 },
};
/** What tells the MAC address of a neighbour. */
export const RESOLUTIONS: Readonly<Record<Family, string>> = { 4: "ARP", 6: "neighbour discovery" };

function describeLookup(fact: Fact & { readonly kind: "route" }): string {
  const { dst, route, ifName, of, isHostAddress } = fact;
  const found = `${describeRoute(route, ifName)} (from ${installerOf(route)})`;
  if (of === "outer") return `looks up the outer packet's ${dst}: ${found}`;
  if (of === "forwarded") return `looks up ${dst}, to forward it: ${found}`;
  const why =
    isHostAddress && route.gateway !== undefined
      ? `. Its own address is a /${addressBits(familyOf(dst))}, so every other one is behind the gateway`
      : "";
  return `looks up ${dst}: ${found}${why}`;
}

function describeNeighbour({ ip, mac, ifName, origin }: Fact & { readonly kind: "neighbour" }): string {
  const by = RESOLUTIONS[familyOf(ip)];
  const how = {
    permanent: `by a permanent entry, so without ${by}`,
    known: `known by ${by} from before`,
    resolved: `asked by ${by} just now`,
    heard: `learnt by ${by} just now, from its own question`,
  }[origin];
  return `${ip} on ${ifName} is at ${mac}, ${how}`;
}

/** A route as `ip route` shows it. `ifName` is that of its interface; null where it leads to none. */
export function describeRoute(route: RouteFacts, ifName: string | null): string {
  const { type, dst, gateway, onlink, mtu, nextHops } = route;
  return [
    type === "unicast" ? "" : type,
    Object.values<string>(DEFAULT_ROUTES).includes(dst) ? "default" : dst,
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

/** One header, as of `describeHeaders` without its brackets. */
export function describeHeader(header: Header): string {
  switch (header.kind) {
    case "ethernet":
      return `${header.src} > ${header.dst}`;
    case "ipv4":
    case "ipv6":
      return describeIp(header);
    case "icmp":
    case "icmp6":
      return describeIcmp(header);
    case "arp":
    case "nd":
      return describeResolution(header);
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

function describeIp({ kind, src, dst, protocol, ttl, length }: IpHeader): string {
  if (kind === "ipv6") return `IPv6 ${src} > ${dst}, hop limit ${ttl}, ${length} octets`;
  const inner = protocol === 4 ? ", protocol 4" : "";
  return `IP ${src} > ${dst}${inner}, ttl ${ttl}, ${length} octets`;
}

function describeResolution({ kind, operation, ip, mac }: ResolutionHeader): string {
  const name = kind === "arp" ? "ARP" : "neighbour discovery";
  if (operation === "request") return `${name}: who has ${ip}?`;
  return `${name}: ${ip} is at ${mac ?? "the frame's sender"}`;
}

type Names = Readonly<Record<number, string>>;

/** RFC 792; RFC 4443. */
const ICMP_NAMES: Readonly<Record<IcmpHeader["kind"], Names>> = {
  icmp: {
    0: "echo reply",
    3: "unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
  },
  icmp6: {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
  },
};
/** Codes of "unreachable" (RFC 792, RFC 1812 section 5.2.7.1; RFC 4443 section 3.1). */
const UNREACHABLE: Readonly<Record<IcmpHeader["kind"], { readonly type: number; readonly codes: Names }>> = {
  icmp: {
    type: 3,
    codes: {
      0: "network unreachable",
      1: "host unreachable",
      2: "protocol unreachable",
      3: "port unreachable",
      4: "fragmentation needed",
      13: "prohibited",
    },
  },
  icmp6: {
    type: 1,
    codes: { 0: "no route", 1: "prohibited", 3: "address unreachable", 4: "port unreachable" },
  },
};

/** `network unreachable`, `fragmentation needed, 1480 octets at most`. */
export function describeIcmp(header: IcmpHeader): string {
  const { kind, type, code, mtu } = header;
  const unreachable = UNREACHABLE[kind];
  const name = (type === unreachable.type ? unreachable.codes[code] : undefined) ?? ICMP_NAMES[kind][type];
  const room = icmpErrorOf(header) === "tooBig" && mtu !== undefined ? `, ${mtu} octets at most` : "";
  return `${kind === "icmp" ? "ICMP" : "ICMPv6"} ${name ?? `type ${type}`}${room}`;
}

/** What is sent, and how it is told from everything else. */
export function describeProbe(probe: Probe): string {
  const { packetBytes } = probe;
  if (probe.kind === "icmp")
    return `${familyOf(probe.dst) === 4 ? "ICMP" : "ICMPv6"} echo of ${packetBytes} octets, marked by identifier ${probe.identifier} and sequence ${probe.sequence}`;
  const name = probe.kind === "udp" ? `UDP datagram of ${packetBytes} octets` : "TCP SYN";
  return `${name} to port ${probe.dstPort}, marked by source port ${probe.srcPort}`;
}

/** When it was seen, `+10 µs`; empty for what was not. */
export function describeTime(fact: Fact): string {
  return fact.kind === "seen" || fact.kind === "resolution" ? `+${formatUs(fact.atUs)}` : "";
}

export function formatUs(us: number): string {
  return us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(2)} ms`;
}
