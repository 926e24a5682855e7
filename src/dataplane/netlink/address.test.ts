// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../net/ip.ts";
import { addAddress, decodeAddress, deleteAddress, listAddresses, replaceAddress } from "./address.ts";
import type { NetlinkMessage } from "./message.ts";
import { truncations, wire } from "./wire.ts";

function message(body: Uint8Array, type = 20): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const ADDRESS = { ifIndex: 3, ip: parseIp("10.1.101.3"), prefixLength: 32, scope: 0 };
const ADDRESS_WIRE = wire`
  02 20 00 00  // AF_INET, /32, flags, scope
  03 00 00 00  // index
  08 00 02 00  // IFA_LOCAL
  0a 01 65 03
  08 00 01 00  // IFA_ADDRESS
  0a 01 65 03
`;

test("an address is laid out as ifaddrmsg and attributes", () => {
  assert.deepEqual(addAddress(ADDRESS).body, ADDRESS_WIRE);
  assert.deepEqual(deleteAddress(ADDRESS).body, ADDRESS_WIRE);
  assert.equal(addAddress(ADDRESS).description, 'add address "10.1.101.3/32" on link 3');
});

test("addresses of both families survive encoding and decoding", () => {
  const ipv6 = { ifIndex: 4, ip: parseIp("fd00::3"), prefixLength: 64, scope: 0 };
  for (const address of [ADDRESS, ipv6])
    assert.deepEqual(decodeAddress(message(replaceAddress(address).body)), address);
});

test("of a point-to-point interface, the own address counts and not the other end's", () => {
  const body = wire`02 20 00 00 03 00 00 00 08 00 01 00 0a 00 00 02 08 00 02 00 0a 00 00 01`;
  assert.equal(decodeAddress(message(body))?.ip, "10.0.0.1");
});

test("an address without its own attribute is that of the prefix, as IPv6 has it", () => {
  const body = wire`02 20 00 00 03 00 00 00 08 00 01 00 0a 00 00 02`;
  assert.equal(decodeAddress(message(body))?.ip, "10.0.0.2");
});

test("duplicate detection can be skipped", () => {
  const { body } = addAddress(ADDRESS, { skipDuplicateDetection: true });
  assert.deepEqual(body.slice(ADDRESS_WIRE.length), wire`08 00 08 00 02 00 00 00`);
});

test("an IPv6 address can be deprecated from the start, and stays", () => {
  const ipv6 = { ifIndex: 4, ip: parseIp("fd00::3"), prefixLength: 64, scope: 0 };
  const plain = replaceAddress(ipv6).body;
  const { body } = replaceAddress({ ...ipv6, passing: "deprecated" });
  const times = wire`14 00 06 00 00 00 00 00 ff ff ff ff 00 00 00 00 00 00 00 00`;
  assert.deepEqual(body.slice(plain.length), times);
});

test("an IPv4 address may be secondary; of IPv6 the bit says that it is temporary", () => {
  const secondary = ADDRESS_WIRE.slice();
  secondary[2] = 0x81; // IFA_F_PERMANENT, IFA_F_SECONDARY
  assert.deepEqual(decodeAddress(message(secondary)), { ...ADDRESS, isSecondary: true });
  const ipv6 = { ifIndex: 4, ip: parseIp("fd00::3"), prefixLength: 64, scope: 0 };
  const temporary = replaceAddress(ipv6).body.slice();
  temporary[2] = 0x01; // IFA_F_TEMPORARY
  assert.deepEqual(decodeAddress(message(temporary)), { ...ipv6, passing: "temporary" });
  temporary[2] = 0x20; // IFA_F_DEPRECATED
  assert.deepEqual(decodeAddress(message(temporary)), { ...ipv6, passing: "deprecated" });
});

test("an address cut off inside an attribute is malformed", () => {
  const wholeAt = [8, 16];
  for (const body of truncations(ADDRESS_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeAddress(message(body)));
    else assert.throws(() => decodeAddress(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("only an IPv4 or IPv6 address that exists answers a listing", () => {
  const foreign = ADDRESS_WIRE.slice();
  foreign[0] = 28; // AF_MPLS
  assert.equal(listAddresses.decode(message(foreign)), undefined);
  assert.equal(listAddresses.decode(message(ADDRESS_WIRE, 21)), undefined);
  assert.deepEqual(listAddresses.decode(message(ADDRESS_WIRE)), ADDRESS);
});
