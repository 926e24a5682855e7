// SPDX-License-Identifier: Apache-2.0
import { type Ipv4, ipv4FromNumber, ipv4ToNumber, isIpv4 } from "./ipv4.ts";
import { type Ipv6, ipv6FromBytes, ipv6ToBytes, parseIpv6 } from "./ipv6.ts";

/** An address of either family; which one shows in its text. */
export type Ip = Ipv4 | Ipv6;
export type Family = 4 | 6;
export const FAMILIES = [4, 6] as const satisfies readonly Family[];

/** Parses an address of either family to its canonical text; throws `SyntaxError` for anything else. */
export function parseIp(text: string): Ip {
  if (isIpv4(text)) return text;
  if (text.includes(":")) return parseIpv6(text);
  throw new SyntaxError(`Cannot parse address "${text}": neither IPv4 nor IPv6`);
}

export function familyOf(address: Ip): Family {
  return address.includes(":") ? 6 : 4;
}

/** 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The address's 4 or 16 octets in network byte order. */
export function ipToBytes(address: Ip): Uint8Array {
  if (!isIpv4(address)) return ipv6ToBytes(address);
  const value = ipv4ToNumber(address);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** The inverse of {@link ipToBytes}; throws `RangeError` unless there are 4 or 16 octets. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4) return ipv6FromBytes(bytes);
  return ipv4FromNumber(new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0));
}

/** The address as an integer, for arithmetic; 32 or 128 bits wide. */
export function ipToBigInt(address: Ip): bigint {
  return ipToBytes(address).reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

/** The inverse of {@link ipToBigInt}; throws `RangeError` where the value does not fit the family. */
export function ipFromBigInt(value: bigint, family: Family): Ip {
  const bits = addressBits(family);
  if (value < 0n || value >> BigInt(bits) !== 0n)
    throw new RangeError(`Cannot read address: ${value} needs more than ${bits} bits`);
  const bytes = new Uint8Array(bits / 8);
  for (let index = bytes.length - 1, rest = value; index >= 0; index--, rest >>= 8n)
    bytes[index] = Number(rest & 255n);
  return ipFromBytes(bytes);
}
