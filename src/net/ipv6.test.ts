// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { ipv6FromBytes, ipv6ToBytes, parseIpv6 } from "./ipv6.ts";

/** What is written, and what RFC 5952 makes of it. */
const CANONICAL: readonly (readonly [string, string])[] = [
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["0:0:0:0:0:0:0:0", "::"],
  ["2001:DB8::1", "2001:db8::1"],
  ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
  ["fe80::ecee:eeff:feee:eeee", "fe80::ecee:eeff:feee:eeee"],
  // One zero group is not shortened (section 4.2.2), also where it was.
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  // The longest run is shortened, and of equal ones the first (section 4.2.3).
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["0:0:1:0:0:0:1:0", "0:0:1::1:0"],
  ["0:0:0:1:0:0:0:0", "0:0:0:1::"],
  ["::ffff:192.0.2.1", "::ffff:c000:201"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
];
for (const [text, canonical] of CANONICAL) {
  test(`${text} is ${canonical}`, () => {
    const address = parseIpv6(text);
    assert.equal(address, canonical);
    assert.equal(parseIpv6(address), canonical);
    assert.equal(ipv6FromBytes(ipv6ToBytes(address)), canonical);
  });
}

for (const text of [
  "",
  ":",
  ":::",
  "1",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::1:2:3:4:5:6:7:8",
  "1::2::3",
  "1:2:3:4::5:6:7:8",
  ":1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7:8:",
  ":1::",
  "::1:",
  "12345::",
  "g::",
  "::1%eth0",
  "::1/128",
  " ::1",
  "::1\n",
  "[::1]",
  "1.2.3.4",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::1.2.3",
  "::01.2.3.4",
  "1:2:3:4:5:6:7:1.2.3.4",
]) {
  test(`${JSON.stringify(text)} is no IPv6 address`, () => {
    assert.throws(() => parseIpv6(text), new SyntaxError(`Cannot parse IPv6 address "${text}"`));
  });
}

test("the octets are in network byte order", () => {
  const octets = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x01];
  assert.deepEqual(ipv6ToBytes(parseIpv6("2001:db8::ff01")), Uint8Array.from(octets));
});

test("octets are read where a view starts", () => {
  const buffer = new Uint8Array(20).fill(0xaa);
  buffer.set(ipv6ToBytes(parseIpv6("2001:db8::1")), 3);
  assert.equal(ipv6FromBytes(buffer.subarray(3, 19)), "2001:db8::1");
});

test("only 16 octets are an IPv6 address", () => {
  for (const length of [0, 4, 15, 17]) assert.throws(() => ipv6FromBytes(new Uint8Array(length)), RangeError);
});
