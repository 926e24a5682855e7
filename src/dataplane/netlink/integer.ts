// SPDX-License-Identifier: Apache-2.0
// Numbers in messages. Most are in the byte order of the host, and every host that Margay runs on (x64, arm64) puts the
// least significant byte first. Plain indexing, because a DataView for every small buffer costs more than all the
// rest of encoding a route. Outside the bytes, every function throws `RangeError`.

export function getU8(bytes: Uint8Array, offset: number): number {
  const value = bytes[offset];
  if (value === undefined) throw new RangeError(`Cannot read byte ${offset}: there are ${bytes.length}`);
  return value;
}

export function getU16(bytes: Uint8Array, offset: number): number {
  return getU8(bytes, offset) | (getU8(bytes, offset + 1) << 8);
}

export function getU32(bytes: Uint8Array, offset: number): number {
  return getI32(bytes, offset) >>> 0;
}

export function getI32(bytes: Uint8Array, offset: number): number {
  return getU16(bytes, offset) | (getU16(bytes, offset + 2) << 16);
}

/** Exact up to 2 ** 53. */
export function getU64(bytes: Uint8Array, offset: number): number {
  return getU32(bytes, offset) + getU32(bytes, offset + 4) * 2 ** 32;
}

export function putU8(bytes: Uint8Array, offset: number, value: number): void {
  if (offset >= bytes.length) throw new RangeError(`Cannot write byte ${offset}: there are ${bytes.length}`);
  bytes[offset] = value;
}

export function putU16(bytes: Uint8Array, offset: number, value: number): void {
  putU8(bytes, offset, value);
  putU8(bytes, offset + 1, value >>> 8);
}

/** Signed numbers too: their bits are the same. */
export function putU32(bytes: Uint8Array, offset: number, value: number): void {
  putU16(bytes, offset, value);
  putU16(bytes, offset + 2, value >>> 16);
}

// In network byte order, as ports and addresses are.

export function getU16be(bytes: Uint8Array, offset: number): number {
  return (getU8(bytes, offset) << 8) | getU8(bytes, offset + 1);
}

export function getU32be(bytes: Uint8Array, offset: number): number {
  return ((getU16be(bytes, offset) << 16) | getU16be(bytes, offset + 2)) >>> 0;
}

export function putU16be(bytes: Uint8Array, offset: number, value: number): void {
  putU8(bytes, offset, value >>> 8);
  putU8(bytes, offset + 1, value);
}

export function putU32be(bytes: Uint8Array, offset: number, value: number): void {
  putU16be(bytes, offset, value >>> 16);
  putU16be(bytes, offset + 2, value);
}
