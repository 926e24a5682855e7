// SPDX-License-Identifier: Apache-2.0

/** A WireGuard public key in canonical form: 32 octets in base64, as `wg` prints them. */
export type WireguardPublicKey = string & { readonly [wireguardPublicKeyBrand]: true };
declare const wireguardPublicKeyBrand: unique symbol;

const OCTETS = 32;
/** The last character before the padding has two bits that belong to no octet, and are 0. */
const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** Whether the text is 32 octets in base64: a public key, or a private one, which must never become a part of a message. */
export function isWireguardKey(text: string): boolean {
  return KEY.test(text);
}

/** Parses 44 characters of base64; throws `SyntaxError` for anything else. */
export function parseWireguardPublicKey(text: string): WireguardPublicKey {
  if (!isWireguardKey(text))
    throw new SyntaxError(`Cannot parse WireGuard public key "${text}": want 32 octets in base64`);
  return text as WireguardPublicKey;
}

/** The key's 32 octets. */
export function wireguardPublicKeyToBytes(key: WireguardPublicKey): Uint8Array {
  return Uint8Array.from(atob(key), (character) => character.charCodeAt(0));
}

/** The inverse of {@link wireguardPublicKeyToBytes}; throws `RangeError` unless there are exactly 32 octets. */
export function wireguardPublicKeyFromBytes(bytes: Uint8Array): WireguardPublicKey {
  if (bytes.length !== OCTETS)
    throw new RangeError(`Cannot read WireGuard public key: want ${OCTETS} octets, have ${bytes.length}`);
  return btoa(String.fromCharCode(...bytes)) as WireguardPublicKey;
}
