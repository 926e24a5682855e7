// SPDX-License-Identifier: Apache-2.0
// npm run soak -- ipam-storm [--allocators 50 --processes 15 --assignments 10000 --seed 1]: on a real etcd.
import { parseArgs } from "node:util";
import { startEtcd } from "../system/etcd-server.ts";
import { ipamStorm } from "./ipam-storm-run.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    allocators: { type: "string", default: "50" },
    processes: { type: "string", default: "15" },
    assignments: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
  },
});

await using etcd = await startEtcd();
const startMs = performance.now();
const report = await ipamStorm({
  endpoints: etcd.endpoints,
  seed: Number(values.seed),
  allocators: Number(values.allocators),
  processes: Number(values.processes),
  assignments: Number(values.assignments),
  faults: 0,
});
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
console.log(
  `${report.assigned} assigned, ${report.released} released, ${report.kills} kills, ${report.cuts} cuts, in ${seconds} s`,
);
