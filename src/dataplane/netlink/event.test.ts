// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import { addAddress } from "./address.ts";
import { decodeEvent, groupBits } from "./event.ts";
import { NTF_SELF, replaceForwardingEntry } from "./fdb.ts";
import { createBridge } from "./link-bridge.ts";
import { parseIfName } from "../../net/if-name.ts";
import type { NetlinkMessage } from "./message.ts";
import { replaceNeighbour } from "./neighbour.ts";
import { addRoute } from "./route.ts";
import { addRule } from "./rule.ts";

const IP = parseIp("10.0.0.1");
const BODIES = {
  link: createBridge({ name: parseIfName("br0") }).body,
  address: addAddress({ ifIndex: 1, ip: IP, prefixLength: 32, scope: 0 }).body,
  route: addRoute({
    table: 254,
    dst: parseCidr("10.0.0.0/8"),
    type: "blackhole",
    protocol: 80,
    scope: 0,
    metric: 0,
    onlink: false,
  }).body,
  neighbour: replaceNeighbour({ ifIndex: 1, ip: IP, state: 0x80 }).body,
  rule: addRule({ family: 4, priority: 1, table: 2, invert: false, protocol: 80 }).body,
} as const;

function message(type: number, body: Uint8Array): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const TYPES = { link: 16, address: 20, route: 24, neighbour: 28, rule: 32 } as const;

for (const kind of ["link", "address", "route", "neighbour", "rule"] as const) {
  test(`a ${kind} that comes, and one that goes, is an event with the ${kind} in it`, () => {
    for (const [offset, change] of ["new", "deleted"].entries()) {
      const event = decodeEvent(message(TYPES[kind] + offset, BODIES[kind]));
      assert.deepEqual(event && { ...event, [kind]: undefined }, { kind, change, [kind]: undefined });
      assert.ok(event !== undefined && kind in event);
    }
  });
}

test("an entry of a forwarding table comes in the messages that neighbours come in", () => {
  const key = { ifIndex: 4, mac: parseMac("66:01:02:03:04:05"), dst: parseIp("192.168.0.102") };
  const entry = { ...key, state: 0x80, flags: NTF_SELF };
  const { body } = replaceForwardingEntry(key);
  assert.deepEqual(decodeEvent(message(28, body)), { kind: "fdb", change: "new", entry });
  assert.deepEqual(decodeEvent(message(29, body)), { kind: "fdb", change: "deleted", entry });
});

test("a message of another type is no event", () => {
  assert.equal(decodeEvent(message(88, BODIES.link)), undefined);
});

test("each kind has the groups of both families", () => {
  assert.equal(groupBits(["link"]), 0b1);
  assert.equal(groupBits(["route"]), 0b100_0100_0000);
  assert.equal(groupBits(["link", "address", "route", "neighbour", "rule"]), 0x40000 | 0x5d5);
  assert.equal(groupBits(["filter"]), 0b1000);
});
