// SPDX-License-Identifier: Apache-2.0
import type { Family } from "../../net/ip.ts";
import { getU8, getU16be, putU8, putU16be } from "../netlink/integer.ts";

// RFC 792; RFC 4443 sections 4.1 and 4.2
const TYPES: Readonly<Record<Family, { readonly echo: number; readonly reply: number }>> = {
  4: { echo: 8, reply: 0 },
  6: { echo: 128, reply: 129 },
};
/** netinet/in.h: #define IPPROTO_ICMP 1, #define IPPROTO_ICMPV6 58 */
export const ICMP_PROTOCOLS: Readonly<Record<Family, number>> = { 4: 1, 6: 58 };
const ICMP_HEADER_BYTES = 8;
/** Without options (RFC 791 section 3.1), and without extension headers (RFC 8200 section 3). */
const IP_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 20, 6: 40 };

/** What tells one echo from all others. */
export interface EchoId {
  /** 16 bits, of whoever asks. */
  readonly identifier: number;
  /** 16 bits, of the question. */
  readonly sequence: number;
}

/**
 * An echo request that makes a packet of the length in octets; the kernel adds the packet's header, and the checksum of IPv6 (RFC 3542 section 3.1). Throws `RangeError` where it
 * is too short.
 */
export function encodeEcho(
  { identifier, sequence }: EchoId,
  packetBytes: number,
  family: Family = 4,
): Uint8Array {
  const message = new Uint8Array(packetBytes - IP_HEADER_BYTES[family]);
  putU8(message, 0, TYPES[family].echo);
  putU16be(message, 4, identifier);
  putU16be(message, 6, sequence);
  if (family === 4) putU16be(message, 2, checksum(message));
  return message;
}

/** What the packet answers, which a raw socket gives with its IPv4 header and without that of IPv6; `undefined` where it is no answer to an echo. */
export function decodeEchoReply(packet: Uint8Array, family: Family = 4): EchoId | undefined {
  if (family === 4 && packet.length < IP_HEADER_BYTES[4]) return undefined;
  // The low half of the first octet counts words of four octets.
  const start = family === 4 ? (getU8(packet, 0) & 0x0f) * 4 : 0;
  if (packet.length < start + ICMP_HEADER_BYTES || getU8(packet, start) !== TYPES[family].reply)
    return undefined;
  return { identifier: getU16be(packet, start + 4), sequence: getU16be(packet, start + 6) };
}

/** RFC 1071, of a message whose other octets are zero: three words count. */
function checksum(message: Uint8Array): number {
  const sum = getU16be(message, 0) + getU16be(message, 4) + getU16be(message, 6);
  const folded = (sum & 0xffff) + (sum >>> 16);
  return ~(folded + (folded >>> 16)) & 0xffff;
}
