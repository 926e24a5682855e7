// SPDX-License-Identifier: Apache-2.0
// The first of the sequences of `npm run soak`.
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runFaultSequence } from "../soak/fault-sequence.ts";
import { type Lab, createLab } from "./harness.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url));

for (const [routeSource, seeds] of [
  ["bird", [1, 2, 3, 4, 5]],
  ["datastore", [6, 7, 8, 9, 10]],
] as const) {
  describe(`a cluster with random faults, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource, topology: TOPOLOGY });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });
    for (const seed of seeds)
      it(`is well after those of seed ${seed}`, async () => {
        await runFaultSequence(lab, seed);
      });
  });
}
