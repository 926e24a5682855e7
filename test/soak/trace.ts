// SPDX-License-Identifier: Apache-2.0
// npm run soak -- trace [--runs 200 --seed 1]: traces of a lab that is well, in every way that packets travel; none may find a fault.
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { createLab } from "../system/harness.ts";
import { WAYS, setWay } from "../system/trace-harness.ts";
import { traceHealthy } from "./trace-run.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url));

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { runs: { type: "string", default: "200" }, seed: { type: "string", default: "1" } },
});
const runs = Math.ceil(Number(values.runs) / WAYS.length);

await using lab = await createLab({ topology: TOPOLOGY });
for (const [index, way] of WAYS.entries()) {
  await setWay(lab, way);
  await traceHealthy(lab, { runs, seed: Number(values.seed) + index });
  console.log(`${runs} traces by ${way}: none found a fault`);
}
