// SPDX-License-Identifier: Apache-2.0
// What a container waits for: the whole process of ADD, by Margay's plugin as an executable and by Node, and by the reference plugins ptp and
// host-local, in turn on the same host of a lab.
// npm run bench -- plugin [--rounds 20] [--write]
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createLab, succeed } from "../test/system/harness.ts";
import type { Contender } from "./plugin/add.child.ts";
import { writeSection } from "./report/page.ts";
import { summarize } from "./report/statistics.ts";
import { renderTable } from "./report/table.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: "string", default: "20" },
    /** Puts the table into docs/. */
    write: { type: "boolean", default: false },
  },
});
const ROOT = join(import.meta.dirname, "..");
const CHILD = join(import.meta.dirname, "plugin/add.child.ts");

await succeed(join(ROOT, "scripts/build"), []);
await using lab = await createLab({ routeSource: "datastore" });
const margay = {
  cniVersion: "1.0.0",
  name: "bench",
  type: "margay-cni",
  agentSocket: lab.agentSocket("host1"),
};
const hostLocal = {
  type: "host-local",
  subnet: "10.200.0.0/16",
  dataDir: `/run/margay/lab/${lab.name}/host-local`,
};
const contenders: readonly Contender[] = [
  {
    name: "margay-cni, executable",
    command: [join(ROOT, `dist/margay-cni-${process.arch}`)],
    config: margay,
  },
  { name: "margay-cni, by Node", command: [join(ROOT, "bin/margay-cni")], config: margay },
  {
    name: "ptp with host-local (Go)",
    command: ["/usr/lib/cni/ptp"],
    config: { cniVersion: "1.0.0", name: "ptp", type: "ptp", ipam: hostLocal },
  },
];
const netns = `${lab.name}bench`;
await succeed("ip", ["netns", "add", netns]);
try {
  const input = JSON.stringify({ contenders, netns, rounds: Number(values.rounds) });
  const { netns: host } = await lab.host("host1");
  const output = await succeed("ip", ["netns", "exec", host, process.execPath, CHILD], { stdin: input });
  const times = JSON.parse(output) as Readonly<Record<string, readonly number[]>>;
  const table = renderTable([
    ["", "median, ms", "shortest", "longest"],
    ...Object.entries(times).map(([name, milliseconds]) => {
      const { median, smallest, largest } = summarize(milliseconds);
      return [name, ...[median, smallest, largest].map((value) => value.toFixed(1))];
    }),
  ]);
  process.stdout.write(`${table}\n`);
  if (values.write) writeSection("plugin", `${values.rounds} rounds.\n\n${table}`);
} finally {
  await succeed("ip", ["netns", "del", netns]);
}
