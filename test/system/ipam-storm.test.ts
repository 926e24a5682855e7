// SPDX-License-Identifier: Apache-2.0
// `npm run soak -- ipam-storm` has 50 nodes and 10,000 assignments.
import assert from "node:assert/strict";
import { it } from "node:test";
import { openEtcdStore } from "../../src/datastore/etcd/etcd-store.ts";
import { ipamStorm } from "../soak/ipam-storm-run.ts";
import { startEtcd } from "./etcd-server.ts";

it("nodes that take and give back addresses on one etcd, and are cut off again and again, never share one and leave none", async () => {
  await using etcd = await startEtcd();
  const openStore = () => openEtcdStore({ endpoints: etcd.endpoints });
  const { assigned, released, kills } = await ipamStorm(openStore, {
    seed: 7,
    allocators: 12,
    assignments: 400,
  });
  assert.ok(assigned >= 400 && released === assigned && kills > 5, `${assigned} ${released} ${kills}`);
});
