// SPDX-License-Identifier: Apache-2.0

/** A 48-bit MAC address in canonical form: six lower-case hex pairs joined by colons. */
export type Mac = string & { readonly [macBrand]: true };
declare const macBrand: unique symbol;

const MAC = /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/;

/** Parses six colon-separated hex pairs; throws `SyntaxError` for anything else. */
export function parseMac(text: string): Mac {
  if (!MAC.test(text))
    throw new SyntaxError(`Cannot parse MAC address "${text}": want six hex pairs joined by colons`);
  return text.toLowerCase() as Mac;
}

/** Whether it is the address of a single interface: not a group's (bit 0 of the first octet, IEEE 802-2014, 8.2), and not all zeros. */
export function isUnicastMac(mac: Mac): boolean {
  const bytes = macToBytes(mac);
  return ((bytes[0] ?? 0) & 1) === 0 && bytes.some((byte) => byte !== 0);
}

/** The address's 6 octets, first transmitted first. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(":"), (pair) => parseInt(pair, 16));
}

/** The inverse of {@link macToBytes}; throws `RangeError` unless there are exactly 6 octets. */
export function macFromBytes(bytes: Uint8Array): Mac {
  if (bytes.length !== 6)
    throw new RangeError(`Cannot read MAC address: want 6 octets, have ${bytes.length}`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":") as Mac;
}
