// SPDX-License-Identifier: Apache-2.0
import { isIpv4, ipv4ToNumber } from "./ipv4.ts";

/** An IPv6 address in the canonical text form of RFC 5952. */
export type Ipv6 = string & { readonly [ipv6Brand]: true };
declare const ipv6Brand: unique symbol;

const GROUPS = 8;
const GROUP = /^[0-9a-fA-F]{1,4}$/;

/** Parses any form of RFC 4291 section 2.2, without a zone; throws `SyntaxError` for anything else. */
export function parseIpv6(text: string): Ipv6 {
  const groups = groupsOf(text);
  if (groups === undefined) throw new SyntaxError(`Cannot parse IPv6 address "${text}"`);
  return render(groups);
}

/** The address's 16 octets, most significant first. */
export function ipv6ToBytes(address: Ipv6): Uint8Array {
  const groups = groupsOf(address);
  if (groups === undefined) throw new SyntaxError(`Cannot parse IPv6 address "${address}"`);
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 255]));
}

/** The inverse of {@link ipv6ToBytes}; throws `RangeError` unless there are exactly 16 octets. */
export function ipv6FromBytes(bytes: Uint8Array): Ipv6 {
  if (bytes.length !== 2 * GROUPS)
    throw new RangeError(`Cannot read IPv6 address: want 16 octets, have ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return render(Array.from({ length: GROUPS }, (_, index) => view.getUint16(2 * index)));
}

/** The eight groups of an address, or `undefined` where the text is no IPv6 address. */
function groupsOf(text: string): number[] | undefined {
  const [head = "", tail, ...rest] = text.split("::");
  if (rest.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  if (tail === undefined) return before?.length === GROUPS ? before : undefined;
  const after = parseGroups(tail, true);
  if (before === undefined || after === undefined) return undefined;
  const missing = GROUPS - before.length - after.length;
  // "::" stands for at least one group of zeros (RFC 4291 section 2.2).
  if (missing < 1) return undefined;
  return [...before, ...Array<number>(missing).fill(0), ...after];
}

/** Colon-separated groups; the last may be a dotted IPv4 address where it ends the whole text. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(parseInt(part, 16));
    } else if (isEnd && index === parts.length - 1 && isIpv4(part)) {
      const value = ipv4ToNumber(part);
      groups.push(value >>> 16, value & 0xffff);
    } else {
      return undefined;
    }
  }
  return groups;
}

/** RFC 5952 section 4: lower case, no leading zeros, the first longest run of two or more zero groups is "::". */
function render(groups: readonly number[]): Ipv6 {
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run === undefined) return hex.join(":") as Ipv6;
  return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}` as Ipv6;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } | undefined {
  let best: { start: number; length: number } | undefined;
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    const length = end - start;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
    if (length > 0) start = end;
  }
  return best;
}
