// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { macFromBytes, macToBytes, parseMac } from "./mac.ts";

test("a MAC address becomes lower case", () => {
  assert.equal(parseMac("EE:ee:Ee:00:0a:FF"), "ee:ee:ee:00:0a:ff");
});

for (const text of [
  "",
  "ee:ee:ee:ee:ee",
  "ee:ee:ee:ee:ee:ee:ee",
  "ee-ee-ee-ee-ee-ee",
  "eeeeeeeeeeee",
  "e:ee:ee:ee:ee:ee",
  "eg:ee:ee:ee:ee:ee",
  " ee:ee:ee:ee:ee:ee",
  "ee:ee:ee:ee:ee:ee\n",
]) {
  test(`${JSON.stringify(text)} is no MAC address`, () => {
    assert.throws(
      () => parseMac(text),
      new SyntaxError(`Cannot parse MAC address "${text}": want six hex pairs joined by colons`),
    );
  });
}

test("a MAC address survives the way to its octets and back", () => {
  const mac = parseMac("00:01:7f:80:fe:ff");
  assert.deepEqual(macToBytes(mac), Uint8Array.of(0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff));
  assert.equal(macFromBytes(macToBytes(mac)), mac);
});

test("only six octets are a MAC address", () => {
  for (const length of [0, 5, 7, 8]) assert.throws(() => macFromBytes(new Uint8Array(length)), RangeError);
});
