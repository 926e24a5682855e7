// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { wireguardPublicKeyToBytes } from "../../net/wireguard-key.ts";
import { generatePrivateKey, publicKeyOf } from "./key-pair.ts";

test("the public key is the one that RFC 7748 section 6.1 has for Bob's private key", () => {
  const bob = Buffer.from("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", "hex");
  const octets = wireguardPublicKeyToBytes(publicKeyOf(bob));
  assert.equal(
    Buffer.from(octets).toString("hex"),
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
  );
});

test("a new private key has 32 octets, and is another each time", () => {
  const [one, two] = [generatePrivateKey(), generatePrivateKey()];
  assert.equal(one.length, 32);
  assert.notDeepEqual(one, two);
});
