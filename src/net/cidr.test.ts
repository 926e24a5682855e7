// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressAt,
  addressIndex,
  cidrAddress,
  cidrContains,
  cidrContainsIp,
  cidrFamily,
  cidrOf,
  cidrSize,
  cidrsOverlap,
  hostCidr,
  isHostCidr,
  parseCidr,
  parseInterfaceAddress,
  prefixLengthOf,
} from "./cidr.ts";
import { parseIp } from "./ip.ts";

for (const [text, canonical] of [
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.1.101.64/26", "10.1.101.64/26"],
  ["10.1.101.1/32", "10.1.101.1/32"],
  ["::/0", "::/0"],
  ["FD00:0::/64", "fd00::/64"],
  ["fd00::1/128", "fd00::1/128"],
] as const) {
  test(`${text} is the prefix ${canonical}`, () => {
    assert.equal(parseCidr(text), canonical);
  });
}

for (const text of [
  "",
  "/",
  "10.0.0.0",
  "10.0.0.0/",
  "/8",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/+8",
  "10.0.0.0/08",
  "10.0.0.0/8.0",
  "10.0.0.0/1e1",
  "10.0.0.0/ 8",
  "10.0.0.0/8/8",
  "10.0.0.0/255.0.0.0",
  " 10.0.0.0/8",
  "10.0.0.0/8\n",
  "010.0.0.0/8",
  "fd00::/129",
  "fd00::%eth0/64",
]) {
  test(`${JSON.stringify(text)} is no prefix`, () => {
    assert.throws(() => parseCidr(text), SyntaxError);
    assert.throws(() => parseInterfaceAddress(text), SyntaxError);
  });
}

test("host bits are refused in a prefix and kept in an interface's address", () => {
  assert.throws(
    () => parseCidr("192.168.0.101/24"),
    new SyntaxError('Cannot parse prefix "192.168.0.101/24": host bits are set, want "192.168.0.0/24"'),
  );
  assert.throws(() => parseCidr("fd00::1/64"), /want "fd00::\/64"/);
  assert.deepEqual(parseInterfaceAddress("192.168.0.101/24"), { ip: "192.168.0.101", prefixLength: 24 });
});

for (const [ip, length, cidr] of [
  ["10.1.101.77", 26, "10.1.101.64/26"],
  ["255.255.255.255", 0, "0.0.0.0/0"],
  ["255.255.255.255", 1, "128.0.0.0/1"],
  ["10.1.101.77", 32, "10.1.101.77/32"],
  ["fd00::ffff", 122, "fd00::ffc0/122"],
  ["fd00::ffff", 0, "::/0"],
] as const) {
  test(`the /${length} of ${ip} is ${cidr}`, () => {
    assert.equal(cidrOf(parseIp(ip), length), cidr);
  });
}

test("a prefix tells its parts", () => {
  const cidr = parseCidr("10.1.101.64/26");
  assert.equal(cidrAddress(cidr), "10.1.101.64");
  assert.equal(prefixLengthOf(cidr), 26);
  assert.equal(cidrFamily(cidr), 4);
  assert.equal(cidrSize(cidr), 64n);
  assert.equal(cidrFamily(parseCidr("fd00::/64")), 6);
  assert.equal(cidrSize(parseCidr("fd00::/64")), 1n << 64n);
});

test("the prefix of one address is a host's", () => {
  assert.equal(hostCidr(parseIp("10.0.0.1")), "10.0.0.1/32");
  assert.equal(hostCidr(parseIp("fd00::1")), "fd00::1/128");
  assert.equal(isHostCidr(parseCidr("10.0.0.1/32")), true);
  assert.equal(isHostCidr(parseCidr("fd00::/32")), false);
});

test("addresses are counted from the first", () => {
  const cidr = parseCidr("10.1.101.64/26");
  assert.equal(addressAt(cidr, 0), "10.1.101.64");
  assert.equal(addressAt(cidr, 63), "10.1.101.127");
  assert.equal(addressIndex(cidr, parseIp("10.1.101.127")), 63);
  assert.equal(addressAt(parseCidr("fd00::/64"), 1n << 63n), "fd00::8000:0:0:0");
  assert.equal(addressAt(parseCidr("255.255.255.255/32"), 0), "255.255.255.255");
});

test("addresses outside are refused", () => {
  const cidr = parseCidr("10.1.101.64/26");
  assert.throws(() => addressAt(cidr, 64), RangeError);
  assert.throws(() => addressAt(cidr, -1), RangeError);
  assert.throws(() => addressIndex(cidr, parseIp("10.1.101.63")), RangeError);
  assert.throws(() => addressIndex(cidr, parseIp("::1")), RangeError);
});

for (const [outer, inner, contains, overlap] of [
  ["10.0.0.0/8", "10.1.0.0/16", true, true],
  ["10.1.0.0/16", "10.0.0.0/8", false, true],
  ["10.0.0.0/8", "10.0.0.0/8", true, true],
  ["10.0.0.0/9", "10.128.0.0/9", false, false],
  ["10.0.0.0/8", "11.0.0.0/8", false, false],
  ["0.0.0.0/0", "1.2.3.4/32", true, true],
  ["0.0.0.0/0", "::/0", false, false],
  ["::/0", "fd00::/64", true, true],
  ["fd00::/64", "fd00:0:0:1::/64", false, false],
  // The text of one is the start of the other's; the prefixes have nothing in common.
  ["1.1.1.1/32", "1.1.1.16/28", false, false],
] as const) {
  test(`${outer} ${contains ? "contains" : "does not contain"} ${inner}`, () => {
    assert.equal(cidrContains(parseCidr(outer), parseCidr(inner)), contains);
    assert.equal(cidrsOverlap(parseCidr(outer), parseCidr(inner)), overlap);
    assert.equal(cidrsOverlap(parseCidr(inner), parseCidr(outer)), overlap);
  });
}

test("a prefix contains its first and its last address, and no other family's", () => {
  const cidr = parseCidr("10.1.101.64/26");
  assert.equal(cidrContainsIp(cidr, parseIp("10.1.101.64")), true);
  assert.equal(cidrContainsIp(cidr, parseIp("10.1.101.127")), true);
  assert.equal(cidrContainsIp(cidr, parseIp("10.1.101.128")), false);
  assert.equal(cidrContainsIp(cidr, parseIp("::ffff:10.1.101.64")), false);
});
