// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv4FromNumber, ipv4ToNumber, isIpv4, parseIpv4 } from "./ipv4.ts";

const NUMBERS: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 0],
  ["0.0.0.1", 1],
  ["1.2.3.4", 0x01020304],
  ["10.0.0.255", 0x0a0000ff],
  ["127.255.255.255", 0x7fffffff],
  ["128.0.0.0", 0x80000000],
  ["169.254.1.1", 0xa9fe0101],
  ["255.255.255.255", 0xffffffff],
];
for (const [text, value] of NUMBERS) {
  test(`${text} is ${value} and back`, () => {
    assert.equal(ipv4ToNumber(parseIpv4(text)), value);
    assert.equal(ipv4FromNumber(value), text);
  });
}

for (const text of [
  "",
  "1.2.3",
  "1.2.3.",
  ".1.2.3",
  "1..2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "1.2.3.999",
  // What inet_aton reads as octal, hexadecimal or fewer parts, and others as decimal (RFC 6943 section 3.1.1).
  "01.2.3.4",
  "1.2.3.00",
  "0x10.1.1.1",
  "1e1.2.3.4",
  "16909060",
  "-1.2.3.4",
  "+1.2.3.4",
  " 1.2.3.4",
  "1.2.3.4 ",
  "1.2.3.4\n",
  "1.2.3.4/32",
  "1,2,3,4",
  "١.2.3.4",
  "::1.2.3.4",
]) {
  test(`${JSON.stringify(text)} is no IPv4 address`, () => {
    assert.equal(isIpv4(text), false);
    assert.throws(
      () => parseIpv4(text),
      new SyntaxError(`Cannot parse IPv4 address "${text}": want four decimal octets`),
    );
  });
}

test("only unsigned 32-bit integers are IPv4 addresses", () => {
  for (const value of [-1, 0.5, 2 ** 32, NaN, Infinity])
    assert.throws(() => ipv4FromNumber(value), RangeError, String(value));
});
