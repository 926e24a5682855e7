// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, addressBits, familyOf, ipFromBigInt, ipToBigInt, parseIp } from "./ip.ts";

/** An address prefix in canonical form, `<address>/<length>`, with every host bit zero. */
export type Cidr = string & { readonly [cidrBrand]: true };
declare const cidrBrand: unique symbol;

/** An address together with the length of the prefix it is on, as an interface carries it. */
export interface InterfaceAddress {
  readonly ip: Ip;
  readonly prefixLength: number;
}

/** Parses `<address>/<length>`; throws `SyntaxError`, also where a host bit is set. */
export function parseCidr(text: string): Cidr {
  const { ip, prefixLength } = parseInterfaceAddress(text);
  const cidr = cidrOf(ip, prefixLength);
  if (cidrAddress(cidr) !== ip)
    throw new SyntaxError(`Cannot parse prefix "${text}": host bits are set, want "${cidr}"`);
  return cidr;
}

/** Parses `<address>/<length>` where the address may have host bits; throws `SyntaxError` for anything else. */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  const slash = text.indexOf("/");
  const length = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9][0-9]{0,2})$/.test(length)) {
    throw new SyntaxError(`Cannot parse prefix "${text}": want <address>/<length>`);
  }
  const ip = parseIp(text.slice(0, slash));
  const prefixLength = Number(length);
  const bits = addressBits(familyOf(ip));
  if (prefixLength > bits) throw new SyntaxError(`Cannot parse prefix "${text}": length is over ${bits}`);
  return { ip, prefixLength };
}

/** The prefix of the given length that holds the address. */
export function cidrOf(ip: Ip, prefixLength: number): Cidr {
  const family = familyOf(ip);
  const hostBits = BigInt(addressBits(family) - prefixLength);
  return `${ipFromBigInt((ipToBigInt(ip) >> hostBits) << hostBits, family)}/${prefixLength}` as Cidr;
}

/** The /32 or /128 of one address. */
export function hostCidr(ip: Ip): Cidr {
  return `${ip}/${addressBits(familyOf(ip))}` as Cidr;
}

export function isHostCidr(cidr: Cidr): boolean {
  return prefixLengthOf(cidr) === addressBits(cidrFamily(cidr));
}

/** The first address of the prefix. */
export function cidrAddress(cidr: Cidr): Ip {
  return cidr.slice(0, cidr.indexOf("/")) as Ip;
}

export function prefixLengthOf(cidr: Cidr): number {
  return Number(cidr.slice(cidr.indexOf("/") + 1));
}

export function cidrFamily(cidr: Cidr): Family {
  return familyOf(cidrAddress(cidr));
}

/** How many addresses the prefix holds. */
export function cidrSize(cidr: Cidr): bigint {
  return 1n << BigInt(addressBits(cidrFamily(cidr)) - prefixLengthOf(cidr));
}

/** The address `index` places after the first; throws `RangeError` outside the prefix. */
export function addressAt(cidr: Cidr, index: bigint | number): Ip {
  const offset = BigInt(index);
  if (offset < 0n || offset >= cidrSize(cidr))
    throw new RangeError(`Cannot take address ${offset} of "${cidr}": it is outside`);
  return ipFromBigInt(ipToBigInt(cidrAddress(cidr)) + offset, cidrFamily(cidr));
}

/** How many places after the first address of the prefix `ip` stands; it must be inside. */
export function addressIndex(cidr: Cidr, ip: Ip): number {
  if (!cidrContains(cidr, hostCidr(ip)))
    throw new RangeError(`Cannot find "${ip}" in "${cidr}": it is outside`);
  return Number(ipToBigInt(ip) - ipToBigInt(cidrAddress(cidr)));
}

/** Whether `inner` lies wholly inside `outer`. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  const length = prefixLengthOf(outer);
  if (cidrFamily(outer) !== cidrFamily(inner) || prefixLengthOf(inner) < length) return false;
  return cidrOf(cidrAddress(inner), length) === outer;
}

export function cidrContainsIp(cidr: Cidr, ip: Ip): boolean {
  return cidrContains(cidr, hostCidr(ip));
}

/** Whether the prefixes share an address; two prefixes do so only where one contains the other. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b) || cidrContains(b, a);
}

/** Everywhere. */
export const DEFAULT_ROUTES: Readonly<Record<Family, Cidr>> = {
  4: parseCidr("0.0.0.0/0"),
  6: parseCidr("::/0"),
};

/** Addresses that count on their own link only (RFC 3927 section 2.1, RFC 4291 section 2.5.6). */
export const LINK_LOCAL: Readonly<Record<Family, Cidr>> = {
  4: parseCidr("169.254.0.0/16"),
  6: parseCidr("fe80::/10"),
};
