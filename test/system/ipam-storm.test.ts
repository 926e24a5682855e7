// SPDX-License-Identifier: Apache-2.0
// `npm run soak -- ipam-storm` has 50 nodes and 10,000 assignments.
import assert from "node:assert/strict";
import { it } from "node:test";
import { ipamStorm } from "../soak/ipam-storm-run.ts";
import { startEtcd } from "./etcd-server.ts";

it("nodes that take and give back addresses on one etcd, and are killed or cut off again and again, never share one and leave none", async () => {
  await using etcd = await startEtcd();
  const { assigned, released, kills, cuts } = await ipamStorm({
    endpoints: etcd.endpoints,
    seed: 7,
    allocators: 12,
    processes: 3,
    assignments: 400,
    faults: 6,
  });
  assert.ok(
    assigned >= 400 && released === assigned && kills > 0 && cuts > 5,
    `${assigned} ${released} ${kills} ${cuts}`,
  );
});
