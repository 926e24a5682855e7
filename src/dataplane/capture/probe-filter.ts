// SPDX-License-Identifier: Apache-2.0
import { type Ipv4, ipv4ToNumber } from "../../net/ipv4.ts";
import { type FieldTest, type Pattern, encodeFilter } from "./filter.ts";

/** What tells a probe and its answers from all other packets. */
export type Marker = { readonly src: Ipv4; readonly dst: Ipv4 } & (
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

const IPV4_BYTES = 20;
const ICMP_BYTES = 8;
/** IPv4, UDP, VXLAN (RFC 7348 section 5) and Ethernet. */
const VXLAN_BYTES = IPV4_BYTES + 8 + 8 + 14;
const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17 } as const;
const IPPROTO_IPIP = 4;
/** Octets of each packet that are copied: all headers, and those that an error quotes. */
const SNAP_BYTES = 256;

/**
 * The filter for a packet socket that lets pass the probe, its answers, and errors of ICMP that quote either; as they are, in IPIP, and in VXLAN. It
 * compares both addresses and the marker, so nobody else's packets are copied.
 */
export function encodeProbeFilter(marker: Marker): Uint8Array {
  const around: readonly (readonly [offset: number, outer: Pattern])[] = [
    [0, []],
    [IPV4_BYTES, [header(0), protocol(0, IPPROTO_IPIP)]],
    [
      VXLAN_BYTES,
      [header(0), protocol(0, PROTOCOLS.udp), { offset: VXLAN_BYTES - 2, bytes: 2, value: 0x0800 }],
    ],
  ];
  const patterns = around.flatMap(([offset, outer]) => [
    [...outer, ...packet(marker, offset, "there")],
    [...outer, ...packet(marker, offset, "back")],
    ...(["there", "back"] as const).map((direction) => [
      ...outer,
      header(offset),
      protocol(offset, PROTOCOLS.icmp),
      ...packet(marker, offset + IPV4_BYTES + ICMP_BYTES, direction),
    ]),
  ]);
  return encodeFilter(patterns, SNAP_BYTES);
}

function packet(marker: Marker, offset: number, direction: "there" | "back"): Pattern {
  const { src, dst, kind } = marker;
  const [from, to] = direction === "there" ? [src, dst] : [dst, src];
  return [
    header(offset),
    protocol(offset, PROTOCOLS[kind]),
    { offset: offset + 12, bytes: 4, value: ipv4ToNumber(from) },
    { offset: offset + 16, bytes: 4, value: ipv4ToNumber(to) },
    ...marks(marker, offset + IPV4_BYTES, direction),
  ];
}

function marks(marker: Marker, offset: number, direction: "there" | "back"): Pattern {
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

/** Version 4, without options: neither probes nor the headers of tunnels have any. */
function header(offset: number): FieldTest {
  return { offset, bytes: 1, value: 0x45 };
}

function protocol(offset: number, value: number): FieldTest {
  return { offset: offset + 9, bytes: 1, value };
}
