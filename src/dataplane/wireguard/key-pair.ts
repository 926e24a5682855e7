// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";

/** A Curve25519 key in PKCS #8 (RFC 8410 section 7) is this, then its 32 octets. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const OCTETS = 32;

/** A new private key of 32 octets. */
export function generatePrivateKey(): Uint8Array {
  const { privateKey } = generateKeyPairSync("x25519");
  return lastOctets(privateKey.export({ type: "pkcs8", format: "der" }));
}

/** The public key that belongs to a private one of 32 octets. */
export function publicKeyOf(privateKey: Uint8Array): WireguardPublicKey {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, privateKey]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return wireguardPublicKeyFromBytes(lastOctets(spki));
}

function lastOctets(der: Buffer): Uint8Array {
  return Uint8Array.from(der.subarray(-OCTETS));
}
