// SPDX-License-Identifier: Apache-2.0
// How values are written for BIRD, which knows no escapes: what would need one is refused.
import { type Cidr, cidrAddress, cidrFamily, prefixLengthOf } from "../../net/cidr.ts";
import { type Family, type Ip, ipToBigInt } from "../../net/ip.ts";

/** A string of BIRD; throws `SyntaxError` where the text could end it. */
export function quote(text: string): string {
  if (!/^[A-Za-z0-9 ._:@/+-]+$/.test(text))
    throw new SyntaxError(
      `Cannot write ${JSON.stringify(text)} for BIRD: want letters, digits, spaces and . _ : @ / + -`,
    );
  return `"${text}"`;
}

/** A pattern of names of links, `*` standing for any text. */
export function quotePattern(text: string): string {
  return `"${quote(text.replaceAll("*", "+")).slice(1, -1).replaceAll("+", "*")}"`;
}

/** TCP's MD5 option takes 80 bytes (`TCP_MD5SIG_MAXKEYLEN`, linux/tcp.h). */
const MAX_PASSWORD_BYTES = 80;

/** The message of what is thrown does not hold the secret. */
export function quotePassword(text: string): string {
  if (!/^[\x20\x21\x23-\x7e]+$/.test(text) || text.length > MAX_PASSWORD_BYTES)
    throw new SyntaxError(
      `Cannot write the password for BIRD: want 1 to ${MAX_PASSWORD_BYTES} characters of ASCII without quotation marks`,
    );
  return `"${text}"`;
}

export function checkRange(what: string, value: number, last: number, first = 1): void {
  if (!Number.isInteger(value) || value < first || value > last)
    throw new RangeError(`Cannot use ${what} ${value}: want ${first} to ${last}`);
}

/** A symbol that no other name of the same use has, as far as 32 bits go. */
export function symbolOf(name: string): string {
  return `${name.replaceAll(/[^A-Za-z0-9]/g, "_").slice(0, 30)}_${hash(name)}`;
}

/** An address as part of a symbol. */
export function addressSymbol(address: Ip): string {
  return address.replaceAll(/[.:]/g, "_");
}

/** FNV-1a (RFC draft-eastlake-fnv, section 2) of the UTF-16 units. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return value.toString(16).padStart(8, "0");
}

/** Those of the family, each once, by address and then by length. */
export function sortCidrs(cidrs: readonly Cidr[], family: Family): readonly Cidr[] {
  return [...new Set(cidrs)]
    .filter((cidr) => cidrFamily(cidr) === family)
    .sort((a, b) => compare(cidrAddress(a), cidrAddress(b)) || prefixLengthOf(a) - prefixLengthOf(b));
}

/** Of one family. */
export function compare(a: Ip, b: Ip): number {
  const [left, right] = [ipToBigInt(a), ipToBigInt(b)];
  return left < right ? -1 : Number(left > right);
}

/** What the names of functions and protocols of the family end in. */
export function suffix(family: Family): "" | "6" {
  return family === 4 ? "" : "6";
}

/** Whether the route's prefix is among the patterns, as a condition. */
export function renderMatch(patterns: readonly string[]): string {
  // BIRD knows no empty set.
  if (patterns.length === 0) return "false";
  return `net ~ [\n    ${patterns.join(",\n    ")}\n  ]`;
}
