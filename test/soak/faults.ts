// SPDX-License-Identifier: Apache-2.0
// npm run soak -- faults [--sequences 500 --seed 1]: random faults on a cluster, sequence after sequence, until one leaves it unwell.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createLab } from "../system/harness.ts";
import { runFaultSequence } from "./fault-sequence.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url));
/** Then another lab, with the other source of routes. */
const SEQUENCES_PER_LAB = 25;

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { sequences: { type: "string", default: "500" }, seed: { type: "string", default: "1" } },
});
const first = Number(values.seed);
const end = first + Number(values.sequences);

for (let seed = first; seed < end;) {
  const routeSource = Math.floor((seed - first) / SEQUENCES_PER_LAB) % 2 === 0 ? "bird" : "datastore";
  await using lab = await createLab({ routeSource, topology: TOPOLOGY });
  for (const last = Math.min(end, seed + SEQUENCES_PER_LAB); seed < last; seed++) {
    const startMs = performance.now();
    await runFaultSequence(lab, seed);
    console.log(
      `seed ${seed}, routes by ${routeSource}: well after ${((performance.now() - startMs) / 1000).toFixed(1)} s`,
    );
  }
}
