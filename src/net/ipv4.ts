// SPDX-License-Identifier: Apache-2.0

/** An IPv4 address in canonical dotted-decimal form. */
export type Ipv4 = string & { readonly [ipv4Brand]: true };
declare const ipv4Brand: unique symbol;

/** One decimal octet without leading zeros (the strict form of RFC 6943 section 3.1.1). */
const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

export function isIpv4(text: string): text is Ipv4 {
  return IPV4.test(text);
}

/** Parses four decimal octets without leading zeros; throws `SyntaxError` for anything else. */
export function parseIpv4(text: string): Ipv4 {
  if (!isIpv4(text)) throw new SyntaxError(`Cannot parse IPv4 address "${text}": want four decimal octets`);
  return text;
}

/** The address as an unsigned 32-bit integer, most significant octet first. */
export function ipv4ToNumber(address: Ipv4): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** The inverse of {@link ipv4ToNumber}; throws `RangeError` outside 0 … 2^32-1. */
export function ipv4FromNumber(value: number): Ipv4 {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new RangeError(`Cannot read IPv4 address: ${value} is no unsigned 32-bit integer`);
  }
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".") as Ipv4;
}
