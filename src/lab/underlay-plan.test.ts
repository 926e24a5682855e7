// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../model/issue.ts";
import { parseTopology } from "./topology.ts";
import { planUnderlay } from "./underlay-plan.ts";

const topology = unwrap(
  parseTopology({
    underlay: {
      segments: [
        { name: "net0", cidr: "192.168.0.0/24" },
        { name: "net1", cidr: "192.168.1.0/25" },
      ],
      routers: [{ name: "r1", addresses: ["192.168.0.1", "192.168.1.1"] }],
    },
    hosts: [
      { name: "host1", address: "192.168.0.101" },
      { name: "host2", address: "192.168.1.102", routes: [{ to: "172.16.0.0/12", via: "192.168.1.9" }] },
    ],
    pools: [{ name: "pool", cidr: "10.1.0.0/16" }],
  }),
  "topology",
);

test("a router has a cable to each of its segments, and needs no route to them", () => {
  const [router] = planUnderlay(topology);
  assert.deepEqual(
    router?.ports.map(({ segment, switchEnd, nodeEnd, address, prefixLength }) =>
      [segment.name, switchEnd, nodeEnd, `${address}/${prefixLength}`].join(" "),
    ),
    ["net0 r1.0 eth0 192.168.0.1/24", "net1 r1.1 eth1 192.168.1.1/25"],
  );
  assert.deepEqual(router.routes, []);
  assert.equal(router.isRouter, true);
});

test("a host has one cable, the routes by its router, and then its own", () => {
  const host2 = planUnderlay(topology).find(({ name }) => name === "host2");
  assert.deepEqual(
    host2?.ports.map(({ switchEnd, nodeEnd, address, prefixLength }) =>
      [switchEnd, nodeEnd, `${address}/${prefixLength}`].join(" "),
    ),
    ["host2 eth0 192.168.1.102/25"],
  );
  assert.deepEqual(host2.routes, [
    { to: "192.168.0.0/24", via: "192.168.1.1" },
    { to: "172.16.0.0/12", via: "192.168.1.9" },
  ]);
  assert.equal(host2.isRouter, false);
});
