// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf, ipToBytes } from "../../net/ip.ts";
import { getU32be } from "../netlink/integer.ts";
import { type FieldTest, type Pattern, encodeFilter } from "./filter.ts";

/** What tells a probe and its answers from all other packets; both addresses are of one family. */
export type Marker = { readonly src: Ip; readonly dst: Ip } & (
  | {
      readonly kind: "icmp";
      readonly identifier: number;
      /** Sequence numbers that differ from it in the bits of {@link SEQUENCE_ATTEMPTS} are of other attempts of the same probe. */
      readonly sequence: number;
    }
  | { readonly kind: "udp" | "tcp"; readonly srcPort: number; readonly dstPort: number }
);

/** How many probes one marker is for: the low bits of the sequence number. */
export const SEQUENCE_ATTEMPTS = 4;

// linux/if_ether.h
const ETHERTYPES: Readonly<Record<Family, number>> = { 4: 0x0800, 6: 0x86dd };
const ETH_P_ARP = 0x0806;
/** Without options, and without extension headers: neither probes nor the headers of tunnels have any. */
const IP_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };
const ICMP_BYTES = 8;
/** UDP, VXLAN (RFC 7348 section 5) and Ethernet. */
const VXLAN_BYTES = 8 + 8 + 14;
const IPPROTO_UDP = 17;
const IPPROTO_IPIP = 4;
const IPPROTO_ICMPV6 = 58;
const PROTOCOLS: Readonly<Record<Family, Readonly<Record<Marker["kind"], number>>>> = {
  4: { icmp: 1, tcp: 6, udp: IPPROTO_UDP },
  6: { icmp: IPPROTO_ICMPV6, tcp: 6, udp: IPPROTO_UDP },
};
/** Octets of each packet that are copied: all headers of IPv6 in VXLAN, and those that an error quotes. */
const SNAP_BYTES = 320;

/**
 * The filter for a packet socket that lets pass the probe, its answers, and errors of ICMP that quote either; as they are, in IPIP, and in VXLAN over either
 * family. It compares both addresses and the marker, so nobody else's packets are copied. Beside them pass requests and replies of ARP or neighbour
 * discovery, whoever sends them: whom the probe needs is not known beforehand.
 */
export function encodeProbeFilter(marker: Marker): Uint8Array {
  const family = familyOf(marker.dst);
  const probes = waysOf(family).flatMap((way) =>
    packets(marker, way.offset).map((fields): Pattern => ({
      etherType: ETHERTYPES[way.family],
      fields: [...way.outer, ...fields],
    })),
  );
  return encodeFilter([...resolution(family), ...probes], SNAP_BYTES);
}

/** Packets of one family by fields of theirs, counted from their outermost IP header. */
export interface PacketPattern {
  readonly family: Family;
  /** Whether the packet that is looked for is inside those. */
  readonly isAround: boolean;
  readonly fields: readonly FieldTest[];
}

/** What the probe, or what answers it, looks like: as it is, in IPIP, and in VXLAN over either family. */
export function probePatterns(marker: Marker, direction: "there" | "back"): readonly PacketPattern[] {
  return waysOf(familyOf(marker.dst)).flatMap(({ family, offset, outer }) =>
    (direction === "there" ? [packet(marker, offset, "there")] : answers(marker, offset)).map((fields) => ({
      family,
      isAround: offset > 0,
      fields: [...outer, ...fields],
    })),
  );
}

/** How a packet travels: behind `offset` octets of headers that fit `outer`, in a packet of `family`. */
interface Way {
  readonly family: Family;
  readonly offset: number;
  readonly outer: readonly FieldTest[];
}

/** As it is, and in each tunnel that may have it inside. */
function waysOf(family: Family): readonly Way[] {
  return [
    { family, offset: 0, outer: [] },
    ...(family === 4 ? [inIpip()] : []),
    inVxlan(4, family),
    inVxlan(6, family),
  ];
}

function inIpip(): Way {
  return { family: 4, offset: IP_BYTES[4], outer: header(4, 0, IPPROTO_IPIP) };
}

function inVxlan(outerFamily: Family, family: Family): Way {
  const offset = IP_BYTES[outerFamily] + VXLAN_BYTES;
  const inner: FieldTest = { offset: offset - 2, bytes: 2, value: ETHERTYPES[family] };
  return { family: outerFamily, offset, outer: [...header(outerFamily, 0, IPPROTO_UDP), inner] };
}

/** The probe, its answer, and errors that quote either. */
function packets(marker: Marker, offset: number): readonly (readonly FieldTest[])[] {
  return [packet(marker, offset, "there"), ...answers(marker, offset), errorAbout(marker, offset, "back")];
}

/** The answer, or an error in its place: that the port is closed. */
function answers(marker: Marker, offset: number): readonly (readonly FieldTest[])[] {
  return [packet(marker, offset, "back"), errorAbout(marker, offset, "there")];
}

function errorAbout(marker: Marker, offset: number, direction: "there" | "back"): readonly FieldTest[] {
  const family = familyOf(marker.dst);
  const quoted = offset + IP_BYTES[family] + ICMP_BYTES;
  return [...header(family, offset, PROTOCOLS[family].icmp), ...packet(marker, quoted, direction)];
}

function packet(marker: Marker, offset: number, direction: "there" | "back"): readonly FieldTest[] {
  const { src, dst, kind } = marker;
  const family = familyOf(dst);
  const [from, to] = direction === "there" ? [src, dst] : [dst, src];
  const [fromAt, toAt] = family === 4 ? [12, 16] : [8, 24];
  return [
    ...header(family, offset, PROTOCOLS[family][kind]),
    ...address(from, offset + fromAt),
    ...address(to, offset + toAt),
    ...marks(marker, offset + IP_BYTES[family], direction),
  ];
}

function address(ip: Ip, offset: number): readonly FieldTest[] {
  const bytes = ipToBytes(ip);
  return Array.from({ length: bytes.length / 4 }, (_, word) => ({
    offset: offset + 4 * word,
    bytes: 4 as const,
    value: getU32be(bytes, 4 * word),
  }));
}

function marks(marker: Marker, offset: number, direction: "there" | "back"): readonly FieldTest[] {
  if (marker.kind === "icmp") {
    const mask = 0xffff & ~(SEQUENCE_ATTEMPTS - 1);
    return [
      { offset: offset + 4, bytes: 2, value: marker.identifier },
      { offset: offset + 6, bytes: 2, mask, value: marker.sequence & mask },
    ];
  }
  const { srcPort, dstPort } = marker;
  const [from, to] = direction === "there" ? [srcPort, dstPort] : [dstPort, srcPort];
  return [
    { offset, bytes: 2, value: from },
    { offset: offset + 2, bytes: 2, value: to },
  ];
}

/** The version, and what follows. */
function header(family: Family, offset: number, protocol: number): readonly FieldTest[] {
  return family === 4
    ? [
        { offset, bytes: 1, value: 0x45 },
        { offset: offset + 9, bytes: 1, value: protocol },
      ]
    : [
        { offset, bytes: 1, mask: 0xf0, value: 0x60 },
        { offset: offset + 6, bytes: 1, value: protocol },
      ];
}

/** Of ARP, requests and replies (RFC 826); of ICMPv6, solicitations and advertisements of neighbours (135 and 136, RFC 4861). */
function resolution(family: Family): readonly Pattern[] {
  if (family === 4) return [{ etherType: ETH_P_ARP, fields: [{ offset: 6, bytes: 1, value: 0 }] }];
  const message = IP_BYTES[6];
  return [135, 136].map((value) => ({
    etherType: ETHERTYPES[6],
    fields: [...header(6, 0, IPPROTO_ICMPV6), { offset: message, bytes: 1, value }],
  }));
}
