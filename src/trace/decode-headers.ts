// SPDX-License-Identifier: Apache-2.0
// RFC 791 (IPv4), RFC 8200 (IPv6), RFC 792 (ICMP), RFC 4443 (ICMPv6), RFC 768 (UDP), RFC 9293 (TCP), RFC 2003 (IPv4 in IPv4), RFC 7348 (VXLAN),
// RFC 826 (ARP), RFC 4861 (neighbour discovery).
import { ipFromBytes } from "../net/ip.ts";
import { ipv4FromNumber } from "../net/ipv4.ts";
import { ipv6FromBytes } from "../net/ipv6.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";
import {
  type Header,
  type IcmpHeader,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IPIP,
  IPPROTO_TCP,
  IPPROTO_UDP,
} from "./headers.ts";

/** What a frame begins with: tunnel devices of layer 3 have no Ethernet header. */
export type FrameStart = "ethernet" | "ip";

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const ICMP_BYTES = 8;
const UDP_BYTES = 8;
const VXLAN_BYTES = 8;
/** Of addresses of Ethernet and IPv4. */
const ARP_BYTES = 28;
/** ICMPv6's type, code, checksum and flags, then the address. */
const ND_BYTES = 24;
const ETHERTYPES = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
/** RFC 792, and of type 4 RFC 6633: those that quote the packet which they are about. */
const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12];
/** RFC 4443 section 2.1: errors are the types below 128. */
const FIRST_ICMPV6_INFORMATION = 128;
const ECHOES: Readonly<Record<IcmpHeader["kind"], readonly number[]>> = { icmp: [0, 8], icmp6: [128, 129] };
const ND_SOLICITATION = 135;
const ND_ADVERTISEMENT = 136;
/** RFC 4861 section 4.6.1: the link-layer address of the target. */
const ND_OPTION_TARGET = 2;
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
  return start === "ethernet" ? ethernet(bytes, vxlanPorts) : ip(bytes, vxlanPorts);
}

function ethernet(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < ETHERNET_BYTES) return [];
  const header: Header = {
    kind: "ethernet",
    dst: macFromBytes(bytes.subarray(0, 6)),
    src: macFromBytes(bytes.subarray(6, 12)),
  };
  const rest = bytes.subarray(ETHERNET_BYTES);
  switch (viewOf(bytes).getUint16(12)) {
    case ETHERTYPES.ipv4:
      return [header, ...ipv4(rest, vxlanPorts)];
    case ETHERTYPES.ipv6:
      return [header, ...ipv6(rest, vxlanPorts)];
    case ETHERTYPES.arp:
      return [header, ...arp(rest)];
    default:
      return [header];
  }
}

function ip(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  return (bytes[0] ?? 0) >> 4 === 6 ? ipv6(bytes, vxlanPorts) : ipv4(bytes, vxlanPorts);
}

function ipv4(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < IPV4_BYTES) return [];
  const view = viewOf(bytes);
  const headerBytes = (view.getUint8(0) & 0x0f) * 4;
  if (view.getUint8(0) >> 4 !== 4 || headerBytes < IPV4_BYTES) return [];
  const header: Header = {
    kind: "ipv4",
    src: ipv4FromNumber(view.getUint32(12)),
    dst: ipv4FromNumber(view.getUint32(16)),
    protocol: view.getUint8(9),
    ttl: view.getUint8(8),
    length: view.getUint16(2),
  };
  return [header, ...payload(header.protocol, bytes.subarray(headerBytes), vxlanPorts)];
}

/** Without extension headers: what follows one is not looked at. */
function ipv6(bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  if (bytes.length < IPV6_BYTES) return [];
  const view = viewOf(bytes);
  if (view.getUint8(0) >> 4 !== 6) return [];
  const header: Header = {
    kind: "ipv6",
    src: ipv6FromBytes(bytes.subarray(8, 24)),
    dst: ipv6FromBytes(bytes.subarray(24, 40)),
    protocol: view.getUint8(6),
    ttl: view.getUint8(7),
    length: IPV6_BYTES + view.getUint16(4),
  };
  return [header, ...payload(header.protocol, bytes.subarray(IPV6_BYTES), vxlanPorts)];
}

function payload(protocol: number, bytes: Uint8Array, vxlanPorts: readonly number[]): readonly Header[] {
  switch (protocol) {
    case IPPROTO_IPIP:
      return ipv4(bytes, vxlanPorts);
    case IPPROTO_ICMP:
      return icmp(bytes);
    case IPPROTO_ICMPV6:
      return icmp6(bytes);
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
  if (!ICMP_ERRORS.includes(type)) return [informing("icmp", view)];
  const isTooBig = type === 3 && code === 4;
  const quoted = ipv4(bytes.subarray(ICMP_BYTES), []);
  return [{ kind: "icmp", type, code, ...(isTooBig && { mtu: view.getUint16(6) }), quoted }];
}

function icmp6(bytes: Uint8Array): readonly Header[] {
  if (bytes.length < ICMP_BYTES) return [];
  const view = viewOf(bytes);
  const [type, code] = [view.getUint8(0), view.getUint8(1)];
  if (type === ND_SOLICITATION || type === ND_ADVERTISEMENT) return neighbourDiscovery(bytes, type);
  if (type >= FIRST_ICMPV6_INFORMATION) return [informing("icmp6", view)];
  const quoted = ipv6(bytes.subarray(ICMP_BYTES), []);
  return [{ kind: "icmp6", type, code, ...(type === 2 && { mtu: view.getUint32(4) }), quoted }];
}

function informing(kind: IcmpHeader["kind"], view: DataView): IcmpHeader {
  const base = { kind, type: view.getUint8(0), code: view.getUint8(1) };
  if (!ECHOES[kind].includes(base.type)) return base;
  return { ...base, echo: { identifier: view.getUint16(4), sequence: view.getUint16(6) } };
}

function neighbourDiscovery(bytes: Uint8Array, type: number): readonly Header[] {
  if (bytes.length < ND_BYTES) return [];
  const target = ipv6FromBytes(bytes.subarray(8, 24));
  if (type === ND_SOLICITATION) return [{ kind: "nd", operation: "request", ip: target }];
  const mac = optionMac(bytes.subarray(ND_BYTES));
  return [{ kind: "nd", operation: "reply", ip: target, ...(mac !== undefined && { mac }) }];
}

/** Options are of type, length in words of eight octets, and value (RFC 4861 section 4.6). */
function optionMac(options: Uint8Array): Mac | undefined {
  for (let at = 0; at + 8 <= options.length;) {
    if (options[at] === ND_OPTION_TARGET) return macFromBytes(options.subarray(at + 2, at + 8));
    const words = options[at + 1] ?? 0;
    if (words === 0) return undefined;
    at += words * 8;
  }
  return undefined;
}

function arp(bytes: Uint8Array): readonly Header[] {
  if (bytes.length < ARP_BYTES) return [];
  const view = viewOf(bytes);
  const isOfIpv4 = view.getUint16(2) === ETHERTYPES.ipv4 && view.getUint16(4) === 0x0604;
  if (!isOfIpv4) return [];
  switch (view.getUint16(6)) {
    case 1:
      return [{ kind: "arp", operation: "request", ip: ipFromBytes(bytes.subarray(24, 28)) }];
    case 2:
      return [
        {
          kind: "arp",
          operation: "reply",
          ip: ipFromBytes(bytes.subarray(14, 18)),
          mac: macFromBytes(bytes.subarray(8, 14)),
        },
      ];
    default:
      return [];
  }
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
