// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import type { NetlinkMessage } from "./message.ts";
import {
  type KernelRoute,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
  decodeRoute,
  deleteRoute,
  listRoutes,
  listRoutesWhere,
  lookUpRoute,
  matchRoute,
  replaceRoute,
} from "./route.ts";
import { truncations, wire } from "./wire.ts";

const BASE = {
  table: RT_TABLE_MAIN,
  type: "unicast",
  protocol: 80,
  scope: RT_SCOPE_UNIVERSE,
  metric: 0,
  onlink: false,
} as const satisfies Partial<KernelRoute>;

const TUNNEL_ROUTE: KernelRoute = {
  ...BASE,
  table: 1000,
  dst: parseCidr("10.1.102.0/26"),
  metric: 10,
  onlink: true,
  ifIndex: 5,
  gateway: parseIp("192.168.0.102"),
  prefSrc: parseIp("10.1.101.0"),
  mtu: 1480,
};
const TUNNEL_ROUTE_WIRE = wire`
  02 1a 00 00  // AF_INET, /26
  00 50 00 01  // table in the attribute, protocol 80, universe, unicast
  04 00 00 00  // RTNH_F_ONLINK
  08 00 01 00  // RTA_DST
  0a 01 66 00
  08 00 0f 00  // RTA_TABLE
  e8 03 00 00
  08 00 06 00  // RTA_PRIORITY
  0a 00 00 00
  08 00 04 00  // RTA_OIF
  05 00 00 00
  08 00 05 00  // RTA_GATEWAY
  c0 a8 00 66
  08 00 07 00  // RTA_PREFSRC
  0a 01 65 00
  0c 00 08 80  // RTA_METRICS
  08 00 02 00  // RTAX_MTU
  c8 05 00 00
`;

function message(body: Uint8Array): NetlinkMessage {
  return { type: 24, flags: 0, sequence: 0, portId: 0, body };
}

function patched(body: Uint8Array, offset: number, value: number): NetlinkMessage {
  const copy = body.slice();
  copy[offset] = value;
  return message(copy);
}

test("a route is laid out as rtmsg and attributes", () => {
  assert.deepEqual(addRoute(TUNNEL_ROUTE).body, TUNNEL_ROUTE_WIRE);
});

const ROUTES: Readonly<Record<string, KernelRoute>> = {
  tunnelled: TUNNEL_ROUTE,
  default: { ...BASE, dst: parseCidr("0.0.0.0/0"), gateway: parseIp("169.254.1.1"), ifIndex: 2 },
  "IPv6 default": { ...BASE, dst: parseCidr("::/0"), gateway: parseIp("fe80::1"), ifIndex: 2, metric: 1024 },
  "to a container": { ...BASE, dst: parseCidr("10.1.101.3/32"), scope: RT_SCOPE_LINK, ifIndex: 7 },
  blackhole: { ...BASE, dst: parseCidr("10.1.101.0/26"), type: "blackhole" },
  "IPv4 through IPv6": { ...BASE, dst: parseCidr("10.0.0.0/8"), gateway: parseIp("fe80::2"), ifIndex: 3 },
  "over two ways": {
    ...BASE,
    dst: parseCidr("10.0.0.0/8"),
    nextHops: [
      { ifIndex: 3, gateway: parseIp("192.168.0.2"), onlink: true, weight: 1 },
      { ifIndex: 4, gateway: parseIp("fe80::2"), onlink: false, weight: 256 },
      { ifIndex: 5, onlink: false, weight: 2 },
    ],
  },
};
for (const [name, route] of Object.entries(ROUTES)) {
  test(`a route ${name} survives encoding and decoding`, () => {
    assert.deepEqual(decodeRoute(message(replaceRoute(route).body)), route);
  });
}

test("a route cut off inside an attribute is malformed", () => {
  const wholeAt = [12, 20, 28, 36, 44, 52, 60];
  for (const body of truncations(TUNNEL_ROUTE_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeRoute(message(body)));
    else assert.throws(() => decodeRoute(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a table under 256 counts also where only the header names it", () => {
  const body = wire`02 00 00 00 fe 02 fd 01 00 00 00 00`;
  assert.equal(decodeRoute(message(body))?.table, RT_TABLE_MAIN);
});

test("a route that the type cannot describe is left out rather than half described", () => {
  const { body } = addRoute(TUNNEL_ROUTE);
  assert.equal(decodeRoute(patched(body, 0, 129)), undefined, "multicast routing");
  assert.equal(decodeRoute(patched(body, 2, 24)), undefined, "for certain sources only");
  assert.equal(decodeRoute(patched(body, 3, 8)), undefined, "for a type of service only");
  assert.equal(decodeRoute(patched(body, 7, 99)), undefined, "of a type from the future");
  assert.equal(decodeRoute(patched(body, 9, 2)), undefined, "of the cache");
});

test("attributes that nobody here knows change nothing", () => {
  const body = Uint8Array.of(...TUNNEL_ROUTE_WIRE, ...wire`08 00 ff 3f 01 02 03 04`);
  assert.deepEqual(decodeRoute(message(body)), TUNNEL_ROUTE);
});

test("a gateway of the wrong length is malformed", () => {
  const body = wire`02 00 00 00 fe 02 fd 01 00 00 00 00 06 00 05 00 c0 a8 00 00`;
  assert.throws(() => decodeRoute(message(body)), /Cannot decode attribute 5: 2 bytes are no IPv4 address/);
});

test("next hops cut off anywhere are malformed", () => {
  const head = wire`02 08 00 00 fe 02 fd 01 00 00 00 00`;
  const hop = wire`08 00 00 00 03 00 00 00`;
  for (const bytes of truncations(hop).slice(1)) {
    const attribute = Uint8Array.of(4 + bytes.length, 0, 9, 0, ...bytes);
    assert.throws(() => decodeRoute(message(Uint8Array.of(...head, ...attribute))), /rtnexthop/);
  }
});

test("a deletion asks for any scope, and for the protocol where one is given", () => {
  const { body, description } = deleteRoute({
    table: 254,
    dst: parseCidr("10.0.0.0/8"),
    metric: 0,
    protocol: 80,
  });
  assert.deepEqual(body.slice(0, 12), wire`02 08 00 00 00 50 ff 00 00 00 00 00`);
  assert.equal(description, 'delete route "10.0.0.0/8"');
});

test("a description says by which way and in which table", () => {
  const want = 'add route "10.1.102.0/26" via "192.168.0.102" on link 5 in table 1000';
  assert.equal(addRoute(TUNNEL_ROUTE).description, want);
});

test("a filtered listing carries its filter", () => {
  assert.deepEqual(listRoutes.request.body, new Uint8Array(12));
  assert.deepEqual(
    listRoutesWhere({ family: 6, table: 1000, protocol: 80 }).request.body,
    wire`
      0a 00 00 00
      00 50 00 00
      00 00 00 00
      08 00 0f 00
      e8 03 00 00
    `,
  );
});

test("a lookup asks for one address, and is answered with a route of the cache", () => {
  const dump = lookUpRoute(parseIp("192.0.2.1"));
  assert.deepEqual(dump.request.body, wire`02 20 00 00 00 00 00 00 00 00 00 00 08 00 01 00 c0 00 02 01`);
  const answer = wire`
    02 20 00 00  // AF_INET, /32
    fe 00 00 01  // main, unspecified protocol, universe, unicast
    00 02 00 00  // RTM_F_CLONED
    08 00 01 00  // RTA_DST
    c0 00 02 01
    08 00 05 00  // RTA_GATEWAY
    c0 a8 00 01
    08 00 04 00  // RTA_OIF
    05 00 00 00
    08 00 07 00  // RTA_PREFSRC
    c0 a8 00 65
  `;
  const way = { ifIndex: 5, prefSrc: "192.168.0.101", gateway: "192.168.0.1" };
  assert.deepEqual(dump.decode(message(answer)), way);
  assert.equal(dump.decode({ ...message(answer), type: 25 }), undefined);
});

test("matchRoute() asks about the very packet, and takes the route as it stands in its table", () => {
  const lookup = matchRoute({ dst: parseIp("10.1.102.1"), src: parseIp("10.1.101.1"), inIfIndex: 7 });
  const { request } = lookup;
  assert.equal(request.description, 'look up the route to "10.1.102.1" from "10.1.101.1"');
  assert.deepEqual(
    request.body,
    wire`
      02 20 20 00  // AF_INET, both /32
      00 00 00 00
      00 30 00 00  // RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE
      08 00 01 00  // RTA_DST
      0a 01 66 01
      08 00 02 00  // RTA_SRC
      0a 01 65 01
      08 00 03 00  // RTA_IIF
      07 00 00 00`,
  );
  assert.deepEqual(lookup.decode(message(TUNNEL_ROUTE_WIRE)), TUNNEL_ROUTE);
  const own = matchRoute({ dst: parseIp("10.1.102.1") }).request;
  assert.equal(own.description, 'look up the route to "10.1.102.1"');
  assert.deepEqual(own.body.subarray(0, 4), wire`02 20 00 00`);
});
