// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAIN_TABLE, NODE_END_MAC, type WantedRoute, neighbourKey, routeKey } from "../desired/wanted.ts";
import { type Cidr, parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { END, LINK, UNDERLAY } from "./link-fixtures.ts";
import { seenNeighbourKey } from "./neighbour.ts";
import { NUD_PERMANENT, NUD_STALE } from "./netlink/neighbour.ts";
import {
  type KernelRoute,
  RTPROT_BIRD,
  RTPROT_KERNEL,
  RTPROT_STATIC,
  RT_SCOPE_LINK,
} from "./netlink/route.ts";
import { RTPROT_MARGAY } from "./route.ts";
import { type Tables, createTables } from "./tables.ts";
import { viewNeighbours, viewRoutes } from "./view.ts";

const GATEWAY = parseIpv4("192.168.0.102");

function tablesWithLinks(): Tables {
  const tables = createTables();
  for (const link of [LINK, UNDERLAY]) tables.link.see(link);
  return tables;
}

function route(dst: Cidr, more: Partial<KernelRoute>): KernelRoute {
  const plain = { type: "unicast", scope: RT_SCOPE_LINK, metric: 0, onlink: false } as const;
  return { ...plain, table: MAIN_TABLE, dst, protocol: RTPROT_MARGAY, ...more };
}

describe("the view of routes", () => {
  it("says of each who has brought it, by its protocol, sorted by destination", () => {
    const tables = tablesWithLinks();
    const routes = [
      route(parseCidr("192.168.0.0/24"), { protocol: RTPROT_KERNEL, ifIndex: 2 }),
      route(parseCidr("10.1.0.64/26"), { protocol: RTPROT_BIRD, ifIndex: 2, gateway: GATEWAY, metric: 32 }),
      route(parseCidr("10.1.0.1/32"), { ifIndex: 7 }),
      route(parseCidr("0.0.0.0/0"), { protocol: RTPROT_STATIC, ifIndex: 2, gateway: GATEWAY }),
    ];
    for (const one of routes) tables.route.see(one, tables.link);
    assert.deepEqual(
      viewRoutes(tables).map(({ dst, origin, interface: name, gateway }) => [dst, origin, name, gateway]),
      [
        ["0.0.0.0/0", "other", "eth0", GATEWAY],
        ["10.1.0.1/32", "agent", END, undefined],
        ["10.1.0.64/26", "bird", "eth0", GATEWAY],
        ["192.168.0.0/24", "kernel", "eth0", undefined],
      ],
    );
  });

  it("has what is wanted and not there, with the reason, and leaves out what BIRD may bring", () => {
    const tables = tablesWithLinks();
    const { table } = tables.route;
    const want = (dst: Cidr, standing: WantedRoute["standing"]): string => {
      const key = routeKey(dst, 1024);
      const target = { kind: "gateway", gateway: GATEWAY } as const;
      table.want(new Map([[key, { table: MAIN_TABLE, dst, metric: 1024, target, standing }]]));
      return key;
    };
    want(parseCidr("10.1.0.0/26"), "untilReplaced");
    const key = want(parseCidr("10.1.0.64/26"), "present");
    table.takeDirty(0);
    table.fail(key, "Network is unreachable", 0);
    const [view, ...more] = viewRoutes(tables);
    assert.deepEqual(more, []);
    assert.deepEqual(
      [view?.dst, view?.gateway, view?.present, view?.pending],
      ["10.1.0.64/26", GATEWAY, false, "Network is unreachable"],
    );
    assert.equal(table.failures, 1);
  });
});

describe("the view of neighbours", () => {
  it("tells the agent's own from those that the kernel has learnt, and has those that are missing", () => {
    const tables = tablesWithLinks();
    const [own, learnt, absent] = ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map((text) => parseIpv4(text));
    assert.ok(own !== undefined && learnt !== undefined && absent !== undefined);
    for (const [ip, state] of [
      [own, NUD_PERMANENT],
      [learnt, NUD_STALE],
    ] as const) {
      const entry = { ifIndex: 7, ip, family: 4, mac: NODE_END_MAC, state, flags: 0 } as const;
      const key = seenNeighbourKey(entry, tables.link) ?? assert.fail("not on our interface");
      tables.neighbour.see(key, entry);
      tables.neighbour.done(key);
    }
    tables.neighbour.want(
      new Map([[neighbourKey(END, absent), { ifName: END, ip: absent, mac: NODE_END_MAC }]]),
    );
    assert.deepEqual(
      viewNeighbours(tables).map(({ ip, permanent, present }) => [ip, permanent, present]),
      [
        [own, true, true],
        [learnt, false, true],
        [absent, true, false],
      ],
    );
  });
});
