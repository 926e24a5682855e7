// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import type { NetlinkMessage } from "./message.ts";
import {
  NUD_PERMANENT,
  decodeNeighbour,
  deleteNeighbour,
  listNeighbours,
  replaceNeighbour,
} from "./neighbour.ts";
import { truncations, wire } from "./wire.ts";

function message(body: Uint8Array, type = 28): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const GATEWAY = {
  ifIndex: 3,
  ip: parseIp("169.254.1.1"),
  family: 4,
  mac: parseMac("ee:ee:ee:ee:ee:ee"),
  state: NUD_PERMANENT,
  flags: 0,
} as const;
const GATEWAY_WIRE = wire`
  02 00 00 00  // AF_INET
  03 00 00 00  // index
  80 00 00 00  // state, flags, type
  08 00 01 00  // NDA_DST
  a9 fe 01 01
  0a 00 02 00  // NDA_LLADDR
  ee ee ee ee
  ee ee 00 00
`;

test("a neighbour is laid out as ndmsg and attributes", () => {
  assert.deepEqual(replaceNeighbour(GATEWAY).body, GATEWAY_WIRE);
  assert.equal(replaceNeighbour(GATEWAY).description, 'replace neighbour "169.254.1.1" on link 3');
});

test("neighbours of both families survive encoding and decoding", () => {
  const ipv6 = { ifIndex: 4, ip: parseIp("fe80::1"), family: 6, state: 0x20, flags: 0x80 } as const;
  for (const neighbour of [GATEWAY, ipv6])
    assert.deepEqual(decodeNeighbour(message(replaceNeighbour(neighbour).body)), neighbour);
});

test("a deletion names the entry only", () => {
  assert.deepEqual(
    deleteNeighbour(GATEWAY).body,
    wire`02 00 00 00 03 00 00 00 00 00 00 00 08 00 01 00 a9 fe 01 01`,
  );
});

test("a neighbour cut off inside an attribute is malformed", () => {
  const wholeAt = [12, 20, 30, 31];
  for (const body of truncations(GATEWAY_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeNeighbour(message(body)));
    else assert.throws(() => decodeNeighbour(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("an entry of a bridge's forwarding table is no neighbour", () => {
  const body = GATEWAY_WIRE.slice();
  body[0] = 7; // AF_BRIDGE
  assert.equal(listNeighbours.decode(message(body)), undefined);
  assert.equal(listNeighbours.decode(message(GATEWAY_WIRE, 29)), undefined);
  assert.deepEqual(listNeighbours.decode(message(GATEWAY_WIRE)), GATEWAY);
});
