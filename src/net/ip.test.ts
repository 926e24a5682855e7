// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressBits, familyOf, ipFromBigInt, ipFromBytes, ipToBigInt, ipToBytes, parseIp } from "./ip.ts";

test("the family shows in the text", () => {
  assert.equal(familyOf(parseIp("10.0.0.1")), 4);
  assert.equal(familyOf(parseIp("::1")), 6);
  assert.equal(familyOf(parseIp("::ffff:1.2.3.4")), 6);
  assert.deepEqual([addressBits(4), addressBits(6)], [32, 128]);
});

for (const text of [
  "",
  "host1",
  "1..2.3",
  "0x10.1.1.1",
  "1e1.2.3.4",
  " 1.2.3.4",
  "01.2.3.4",
  "::1%eth0",
  "1.2.3.4/32",
]) {
  test(`${JSON.stringify(text)} is no address`, () => {
    assert.throws(() => parseIp(text), SyntaxError);
  });
}

for (const [text, value] of [
  ["0.0.0.0", 0n],
  ["10.1.101.1", 0x0a016501n],
  ["255.255.255.255", 0xffffffffn],
  ["::", 0n],
  ["::ffff", 0xffffn],
  ["fd00::1", (0xfdn << 120n) | 1n],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", (1n << 128n) - 1n],
] as const) {
  test(`${text} survives the way to an integer and to octets, and back`, () => {
    const ip = parseIp(text);
    assert.equal(ipToBigInt(ip), value);
    assert.equal(ipFromBigInt(value, familyOf(ip)), ip);
    assert.equal(ipToBytes(ip).length * 8, addressBits(familyOf(ip)));
    assert.equal(ipFromBytes(ipToBytes(ip)), ip);
  });
}

test("an integer that does not fit the family is refused", () => {
  assert.throws(() => ipFromBigInt(1n << 32n, 4), RangeError);
  assert.throws(() => ipFromBigInt(1n << 128n, 6), RangeError);
  assert.throws(() => ipFromBigInt(-1n, 4), RangeError);
});

test("IPv4 octets are read where a view starts", () => {
  assert.equal(ipFromBytes(Uint8Array.of(9, 9, 10, 0, 0, 1, 9).subarray(2, 6)), "10.0.0.1");
});
