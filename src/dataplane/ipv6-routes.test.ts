// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAIN_TABLE } from "../desired/wanted.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import { Ipv6Routes, isForOnlookers } from "./ipv6-routes.ts";
import { type KernelRoute, RTPROT_BOOT, RTPROT_RA, RT_SCOPE_UNIVERSE } from "./netlink/route.ts";

const [FIRST, SECOND] = [parseIp("fd00:1::1"), parseIp("fd00:1::2")];

function route(more: Partial<KernelRoute>): KernelRoute {
  const plain = { type: "unicast", scope: RT_SCOPE_UNIVERSE, metric: 1024, onlink: false } as const;
  return { ...plain, table: MAIN_TABLE, dst: parseCidr("::/0"), protocol: RTPROT_BOOT, ...more };
}

const hop = (gateway: typeof FIRST, ifIndex = 2) => ({ ifIndex, gateway, onlink: false, weight: 1 });
const BY_FIRST = route({ ifIndex: 2, gateway: FIRST });
const BY_SECOND = route({ ifIndex: 2, gateway: SECOND });
const BY_BOTH = route({ nextHops: [hop(FIRST), hop(SECOND)] });
const BY_ROUTER = route({ protocol: RTPROT_RA, ifIndex: 2, gateway: parseIp("fe80::1") });

describe("IPv6 routes of others", () => {
  const rows: readonly (readonly [string, (routes: Ipv6Routes) => void, readonly KernelRoute[]])[] = [
    [
      "may have one destination and metric, each with ways of its own",
      () => undefined,
      [BY_ROUTER, BY_FIRST],
    ],
    [
      "are taken in once, however often they are told of",
      (routes) => {
        routes.see(BY_FIRST, { replaces: false });
      },
      [BY_ROUTER, BY_FIRST],
    ],
    [
      "take the place of others, but not of what a router has said",
      (routes) => {
        routes.see(BY_SECOND, { replaces: true });
      },
      [BY_ROUTER, BY_SECOND],
    ],
    [
      "are one with the ways that it has joined",
      (routes) => {
        routes.see(BY_BOTH, { replaces: false });
      },
      [BY_ROUTER, BY_BOTH],
    ],
    [
      "lose one way of two",
      (routes) => {
        routes.see(BY_BOTH, { replaces: false });
        routes.remove(BY_FIRST);
      },
      [BY_ROUTER, BY_SECOND],
    ],
    [
      "go with all their ways",
      (routes) => {
        routes.see(BY_BOTH, { replaces: false });
        routes.remove(BY_BOTH);
      },
      [BY_ROUTER],
    ],
    [
      "go with their interface",
      (routes) => {
        routes.forgetInterface(2);
      },
      [],
    ],
  ];
  for (const [what, action, wanted] of rows)
    it(what, () => {
      const routes = new Ipv6Routes();
      for (const one of [BY_ROUTER, BY_FIRST]) routes.see(one, { replaces: false });
      action(routes);
      assert.deepEqual([...routes.all()], wanted);
    });

  it("are those of IPv6 that packets to others than neighbours are sent by", () => {
    const rest = { type: "blackhole", dst: parseCidr("fd00::/48") } as const;
    assert.deepEqual([BY_FIRST, route(rest)].map(isForOnlookers), [true, true]);
    const not = [
      { dst: parseCidr("fe80::/64") },
      { dst: parseCidr("10.0.0.0/8") },
      { type: "local", dst: parseCidr("fd00::1/128") } as const,
      { type: "multicast", dst: parseCidr("ff00::/8") } as const,
    ];
    assert.deepEqual(
      not.map((more) => isForOnlookers(route(more))),
      not.map(() => false),
    );
  });
});
