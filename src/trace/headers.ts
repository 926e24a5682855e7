// SPDX-License-Identifier: Apache-2.0
// The headers of a captured packet, from the outermost in. RFC 791 (IPv4), RFC 792 (ICMP), RFC 768 (UDP), RFC 9293 (TCP), RFC 2003 (IPv4 in
// IPv4), RFC 7348 (VXLAN).
import { type Ipv4, ipv4FromNumber } from "../net/ipv4.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";

export interface EthernetHeader {
  readonly kind: "ethernet";
  readonly src: Mac;
  readonly dst: Mac;
}

export interface Ipv4Header {
  readonly kind: "ipv4";
  readonly src: Ipv4;
  readonly dst: Ipv4;
  readonly protocol: number;
  readonly ttl: number;
  /** Octets, this header included. */
  readonly length: number;
}

export interface IcmpHeader {
  readonly kind: "icmp";
  readonly type: number;
  readonly code: number;
  /** Of an echo and its answer. */
  readonly echo?: { readonly identifier: number; readonly sequence: number };
  /** Of "fragmentation needed" (RFC 1191): the octets that would have passed. */
  readonly mtu?: number;
  /** The headers that an error quotes. */
  readonly quoted?: readonly Header[];
}

export interface PortsHeader {
  readonly kind: "udp" | "tcp";
  readonly srcPort: number;
  readonly dstPort: number;
  /** Of TCP: those that are set, `SYN`, `ACK` … */
  readonly flags?: readonly string[];
}

export interface VxlanHeader {
  readonly kind: "vxlan";
  readonly vni: number;
}

export type Header = EthernetHeader | Ipv4Header | IcmpHeader | PortsHeader | VxlanHeader;

/** What a frame begins with: tunnel devices of layer 3 have no Ethernet header. */
export type FrameStart = "ethernet" | "ipv4";

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const ICMP_BYTES = 8;
const UDP_BYTES = 8;
const VXLAN_BYTES = 8;
const ETHERTYPE_IPV4 = 0x0800;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
/** RFC 792, and of type 4 RFC 6633: those that quote the packet which they are about. */
const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12];
export const ICMP_UNREACHABLE = 3;
export const ICMP_FRAGMENTATION_NEEDED = 4;
export const ICMP_PORT_UNREACHABLE = 3;
const ICMP_ECHO_REPLY = 0;
const ICMP_ECHO = 8;
/** From the lowest bit (RFC 9293 section 3.1). */
const TCP_FLAGS = ["FIN", "SYN", "RST", "PSH", "ACK"] as const;

/**
 * The headers, as far as they are there: what is cut short, or of no kind known here, ends the list. UDP to one of `vxlanPorts` is taken
 * for VXLAN.
 */
export function decodeHeaders(
  bytes: Uint8Array,
  start: FrameStart,
  vxlanPorts: readonly number[] = [],
): readonly Header[] {
  return start === "ethernet" ? ethernet(bytes, vxlanPorts) : ipv4(bytes, vxlanPorts);
}

/** The innermost IPv4 header, and what follows it. */
export function innermost(headers: readonly Header[]): {
  readonly ip: Ipv4Header | undefined;
  readonly payload: Header | undefined;
} {
  const at = headers.findLastIndex(({ kind }) => kind === "ipv4");
  const ip = headers[at];
  return { ip: ip?.kind === "ipv4" ? ip : undefined, payload: at < 0 ? undefined : headers[at + 1] };
}

/** The header that a tunnel has put around the packet; `undefined` where it travels as it is. */
export function outerIp(headers: readonly Header[]): Ipv4Header | undefined {
  const [first, second] = headers.filter((header) => header.kind === "ipv4");
  return second === undefined ? undefined : first;
}

function ethernet(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < ETHERNET_BYTES) return [];
  const header: Header = {
    kind: "ethernet",
    dst: macFromBytes(bytes.subarray(0, 6)),
    src: macFromBytes(bytes.subarray(6, 12)),
  };
  if (viewOf(bytes).getUint16(12) !== ETHERTYPE_IPV4) return [header];
  return [header, ...ipv4(bytes.subarray(ETHERNET_BYTES), vxlanPorts)];
}

function ipv4(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < IPV4_BYTES) return [];
  const view = viewOf(bytes);
  const headerBytes = (view.getUint8(0) & 0x0f) * 4;
  if (view.getUint8(0) >> 4 !== 4 || headerBytes < IPV4_BYTES) return [];
  const header: Ipv4Header = {
    kind: "ipv4",
    src: ipv4FromNumber(view.getUint32(12)),
    dst: ipv4FromNumber(view.getUint32(16)),
    protocol: view.getUint8(9),
    ttl: view.getUint8(8),
    length: view.getUint16(2),
  };
  return [header, ...payload(header.protocol, bytes.subarray(headerBytes), vxlanPorts)];
}

function payload(protocol: number, bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  switch (protocol) {
    case IPPROTO_IPIP:
      return ipv4(bytes, vxlanPorts);
    case IPPROTO_ICMP:
      return icmp(bytes);
    case IPPROTO_UDP:
      return udp(bytes, vxlanPorts);
    case IPPROTO_TCP:
      return tcp(bytes);
    default:
      return [];
  }
}

function icmp(bytes: Uint8Array): readonly Header[] {
  if (bytes.length < ICMP_BYTES) return [];
  const view = viewOf(bytes);
  const [type, code] = [view.getUint8(0), view.getUint8(1)];
  const base = { kind: "icmp", type, code } as const;
  if (type === ICMP_ECHO || type === ICMP_ECHO_REPLY)
    return [{ ...base, echo: { identifier: view.getUint16(4), sequence: view.getUint16(6) } }];
  if (!ICMP_ERRORS.includes(type)) return [base];
  const isTooLarge = type === ICMP_UNREACHABLE && code === ICMP_FRAGMENTATION_NEEDED;
  const quoted = ipv4(bytes.subarray(ICMP_BYTES), []);
  return [{ ...base, ...(isTooLarge && { mtu: view.getUint16(6) }), quoted }];
}

function udp(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < UDP_BYTES) return [];
  const view = viewOf(bytes);
  const header = { kind: "udp", srcPort: view.getUint16(0), dstPort: view.getUint16(2) } as const;
  if (!vxlanPorts.includes(header.dstPort)) return [header];
  return [header, ...vxlan(bytes.subarray(UDP_BYTES), vxlanPorts)];
}

function vxlan(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < VXLAN_BYTES) return [];
  // The low octet of the last word is reserved.
  const vni = viewOf(bytes).getUint32(4) >>> 8;
  return [{ kind: "vxlan", vni }, ...ethernet(bytes.subarray(VXLAN_BYTES), vxlanPorts)];
}

function tcp(bytes: Uint8Array): readonly Header[] {
  // An error quotes no more than eight octets of it for certain: the ports.
  if (bytes.length < 4) return [];
  const view = viewOf(bytes);
  const bits = bytes.length > 13 ? view.getUint8(13) : 0;
  const flags = TCP_FLAGS.filter((_, bit) => (bits & (1 << bit)) !== 0);
  return [{ kind: "tcp", srcPort: view.getUint16(0), dstPort: view.getUint16(2), flags }];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
