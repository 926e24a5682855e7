// SPDX-License-Identifier: Apache-2.0
// npm run soak -- first-packet [--count 1000]: new containers, contacted at once from another node; of new blocks and borrowed addresses a fifth as many.
import { parseArgs } from "node:util";
import { CASES, contactNewContainers, createCaseLab } from "./first-packet-run.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { count: { type: "string", default: "1000" } },
});

for (const kind of Object.keys(CASES) as (keyof typeof CASES)[])
  for (const routeSource of ["bird", "datastore"] as const) {
    await using lab = await createCaseLab(kind, routeSource);
    const count = kind === "known" ? Number(values.count) : Math.ceil(Number(values.count) / 5);
    const startMs = performance.now();
    const { routeReadiness } = CASES[kind];
    const unreached = await contactNewContainers(lab, { from: "c", count, routeReadiness });
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(
      `${kind}, routes by ${routeSource}: ${unreached.length} of ${count} not reached, in ${seconds} s`,
    );
    for (const one of unreached) console.log(`  ${one}`);
    if (unreached.length > 0) process.exitCode = 1;
  }
