// SPDX-License-Identifier: Apache-2.0
// The headers of a captured packet, from the outermost in.
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Ipv6 } from "../net/ipv6.ts";
import type { Mac } from "../net/mac.ts";

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

export interface Ipv6Header {
  readonly kind: "ipv6";
  readonly src: Ipv6;
  readonly dst: Ipv6;
  /** Of what follows: "next header". */
  readonly protocol: number;
  /** The hop limit. */
  readonly ttl: number;
  /** Octets, this header included. */
  readonly length: number;
}

export type IpHeader = Ipv4Header | Ipv6Header;

export interface IcmpHeader {
  /** `icmp6` is ICMPv6 (RFC 4443), whose types and codes are others. */
  readonly kind: "icmp" | "icmp6";
  readonly type: number;
  readonly code: number;
  /** Of an echo and its answer. */
  readonly echo?: { readonly identifier: number; readonly sequence: number };
  /** Of "fragmentation needed" (RFC 1191) and "packet too big" (RFC 4443 section 3.2): the octets that would have passed. */
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

/** Who has an address, and the answer: ARP (RFC 826), or neighbour discovery (RFC 4861 sections 4.3 and 4.4). */
export interface ResolutionHeader {
  readonly kind: "arp" | "nd";
  readonly operation: "request" | "reply";
  /** Whose MAC address it is about. */
  readonly ip: Ip;
  /** What the answer says. */
  readonly mac?: Mac;
}

export type Header = EthernetHeader | IpHeader | IcmpHeader | PortsHeader | VxlanHeader | ResolutionHeader;

export const IPPROTO_ICMP = 1;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ICMPV6 = 58;

/** The errors that a trace tells apart, of either family; `other` are further ones that quote the packet which they are about. */
export type IcmpError = "portUnreachable" | "tooBig" | "other";

/** `undefined` for a message that is no error. */
export function icmpErrorOf({ kind, type, code, quoted }: IcmpHeader): IcmpError | undefined {
  if (quoted === undefined) return undefined;
  // RFC 792: unreachable is 3, of which 3 is the port, and 4 "fragmentation needed". RFC 4443: unreachable is 1, of which 4 is the port.
  const [port, tooBig] =
    kind === "icmp"
      ? [type === 3 && code === 3, type === 3 && code === 4]
      : [type === 1 && code === 4, type === 2];
  return port ? "portUnreachable" : tooBig ? "tooBig" : "other";
}

export function isIp(header: Header): header is IpHeader {
  return header.kind === "ipv4" || header.kind === "ipv6";
}

export function isIcmp(header: Header | undefined): header is IcmpHeader {
  return header?.kind === "icmp" || header?.kind === "icmp6";
}

/** The innermost IP header, and what follows it. */
export function innermost(headers: readonly Header[]): {
  readonly ip: IpHeader | undefined;
  readonly payload: Header | undefined;
} {
  const at = headers.findLastIndex(isIp);
  const ip = headers[at];
  return {
    ip: ip !== undefined && isIp(ip) ? ip : undefined,
    payload: at < 0 ? undefined : headers[at + 1],
  };
}

/** The header that a tunnel has put around the packet; `undefined` where it travels as it is. */
export function outerIp(headers: readonly Header[]): IpHeader | undefined {
  const [first, second] = headers.filter(isIp);
  return second === undefined ? undefined : first;
}

/** The question or answer about a MAC address that the frame is; `undefined` for every other. */
export function resolutionOf(headers: readonly Header[]): ResolutionHeader | undefined {
  return headers.find((header): header is ResolutionHeader => header.kind === "arp" || header.kind === "nd");
}
