// SPDX-License-Identifier: Apache-2.0
import { getU8, getU16be, putU8, putU16be } from "../netlink/integer.ts";

// RFC 792
const ECHO_REPLY = 0;
const ECHO = 8;
const ICMP_HEADER_BYTES = 8;
/** Without options (RFC 791 section 3.1). */
const IPV4_HEADER_BYTES = 20;

/** What tells one echo from all others. */
export interface EchoId {
  /** 16 bits, of whoever asks. */
  readonly identifier: number;
  /** 16 bits, of the question. */
  readonly sequence: number;
}

/** An echo request that makes an IPv4 packet of the length in octets; the kernel adds the packet's header. Throws `RangeError` where it is too short. */
export function encodeEcho({ identifier, sequence }: EchoId, packetBytes: number): Uint8Array {
  const message = new Uint8Array(packetBytes - IPV4_HEADER_BYTES);
  putU8(message, 0, ECHO);
  putU16be(message, 4, identifier);
  putU16be(message, 6, sequence);
  putU16be(message, 2, checksum(message));
  return message;
}

/** What the packet, with its IPv4 header, answers; `undefined` where it is no answer to an echo. */
export function decodeEchoReply(packet: Uint8Array): EchoId | undefined {
  if (packet.length < IPV4_HEADER_BYTES) return undefined;
  // The low half of the first octet counts words of four octets.
  const start = (getU8(packet, 0) & 0x0f) * 4;
  if (packet.length < start + ICMP_HEADER_BYTES || getU8(packet, start) !== ECHO_REPLY) return undefined;
  return { identifier: getU16be(packet, start + 4), sequence: getU16be(packet, start + 6) };
}

/** RFC 1071, of a message whose other octets are zero: three words count. */
function checksum(message: Uint8Array): number {
  const sum = getU16be(message, 0) + getU16be(message, 4) + getU16be(message, 6);
  const folded = (sum & 0xffff) + (sum >>> 16);
  return ~(folded + (folded >>> 16)) & 0xffff;
}
