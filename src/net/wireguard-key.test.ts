// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseWireguardPublicKey,
  wireguardPublicKeyFromBytes,
  wireguardPublicKeyToBytes,
} from "./wireguard-key.ts";

/** Of RFC 7748 section 6.1: Bob's. */
const KEY = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
const KEY_HEX = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

test("a key survives the way to its octets and back", () => {
  const bytes = wireguardPublicKeyToBytes(parseWireguardPublicKey(KEY));
  assert.equal(Buffer.from(bytes).toString("hex"), KEY_HEX);
  assert.equal(wireguardPublicKeyFromBytes(bytes), KEY);
});

for (const text of [
  "",
  KEY.slice(1),
  `A${KEY}`,
  KEY.slice(0, 43),
  KEY.replace("+", "-"),
  // The same octets, with a bit that belongs to none.
  KEY.replace("8=", "9="),
  `${KEY}\n`,
]) {
  test(`${JSON.stringify(text)} is no key`, () => {
    assert.throws(() => parseWireguardPublicKey(text), SyntaxError);
  });
}

test("only 32 octets are a key", () => {
  for (const length of [0, 31, 33])
    assert.throws(() => wireguardPublicKeyFromBytes(new Uint8Array(length)), RangeError);
});
