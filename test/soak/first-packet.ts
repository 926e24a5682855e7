// SPDX-License-Identifier: Apache-2.0
// npm run soak -- first-packet: new containers, contacted at once from another node, a thousand times for addresses of a known block.
import { CASES, CASE_NAMES, contactNewContainers, createCaseLab } from "./first-packet-run.ts";

for (const name of CASE_NAMES)
  for (const routeSource of ["bird", "datastore"] as const) {
    await using lab = await createCaseLab(name, routeSource);
    const count = CASES[name].counts.soak;
    const startMs = performance.now();
    const unreached = await contactNewContainers(lab, name, count);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(
      `${name}, routes by ${routeSource}: ${unreached.length} of ${count} not reached, in ${seconds} s`,
    );
    for (const one of unreached) console.log(`  ${one}`);
    if (unreached.length > 0) process.exitCode = 1;
  }
