// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { findRoutes } from "./paths.ts";

function segment(name: string, cidr: string): { name: string; cidr: ReturnType<typeof parseCidr> } {
  return { name, cidr: parseCidr(cidr) };
}

const NET0 = segment("net0", "10.0.0.0/24");
const NET1 = segment("net1", "10.0.1.0/24");
const NET2 = segment("net2", "10.0.2.0/24");
const ALONE = segment("alone", "10.0.9.0/24");
const CHAIN = {
  segments: [NET0, NET1, NET2, ALONE],
  routers: [
    { name: "r1", addresses: [parseIpv4("10.0.0.1"), parseIpv4("10.0.1.1")] },
    { name: "r2", addresses: [parseIpv4("10.0.1.2"), parseIpv4("10.0.2.2")] },
  ],
};

test("a host reaches far segments by the router next to it, and lonely ones not at all", () => {
  assert.deepEqual(findRoutes(CHAIN, [NET0]), [
    { to: "10.0.1.0/24", via: "10.0.0.1" },
    { to: "10.0.2.0/24", via: "10.0.0.1" },
  ]);
});

test("a host between two routers takes the near one on each side", () => {
  assert.deepEqual(findRoutes(CHAIN, [NET1]), [
    { to: "10.0.0.0/24", via: "10.0.1.1" },
    { to: "10.0.2.0/24", via: "10.0.1.2" },
  ]);
});

test("a router needs routes only to segments that it is not in", () => {
  assert.deepEqual(findRoutes(CHAIN, [NET0, NET1]), [{ to: "10.0.2.0/24", via: "10.0.1.2" }]);
});

test("the shorter of two ways wins, whatever the order of routers", () => {
  const direct = { name: "r0", addresses: [parseIpv4("10.0.0.9"), parseIpv4("10.0.2.9")] };
  const underlay = { ...CHAIN, routers: [...CHAIN.routers, direct] };
  assert.deepEqual(findRoutes(underlay, [NET0]), [
    { to: "10.0.1.0/24", via: "10.0.0.1" },
    { to: "10.0.2.0/24", via: "10.0.0.9" },
  ]);
});
