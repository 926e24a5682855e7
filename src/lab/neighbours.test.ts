// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../model/issue.ts";
import { crowdsOf } from "./neighbours.ts";
import { parseTopology } from "./topology.ts";
import { planUnderlay } from "./underlay-plan.ts";

/** How many are on each crowded segment, where two segments have so many hosts and a router between them. */
function crowds(...hosts: readonly [number, number]): readonly number[] {
  const topology = unwrap(
    parseTopology({
      underlay: {
        segments: hosts.map((_, net) => ({ name: `net${net}`, cidr: `192.168.${net}.0/24` })),
        routers: [{ name: "r1", addresses: ["192.168.0.1", "192.168.1.1"] }],
      },
      hosts: hosts.flatMap((count, net) =>
        Array.from({ length: count }, (_, index) => ({
          name: `host${net}-${index}`,
          address: `192.168.${net}.${index + 101}`,
        })),
      ),
      pools: [{ name: "pool", cidr: "10.1.0.0/16" }],
    }),
    "topology",
  );
  return crowdsOf(planUnderlay(topology)).map(({ length }) => length);
}

test("a segment is crowded from where its pairs take half of the kernel's table of neighbours", () => {
  assert.deepEqual(crowds(22, 22), []);
  assert.deepEqual(crowds(23, 22), [24]);
  assert.deepEqual(crowds(23, 100), [24, 101]);
});
