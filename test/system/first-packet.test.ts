// SPDX-License-Identifier: Apache-2.0
// `npm run soak -- first-packet` does it a thousand times.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CASES, CASE_NAMES, contactNewContainers, createCaseLab } from "../soak/first-packet-run.ts";

describe("the first packet from another node to a container that has just been attached", () => {
  for (const name of CASE_NAMES)
    for (const routeSource of ["bird", "datastore"] as const)
      it(`arrives where its address, or its block, is ${name}, with routes by ${routeSource}`, async () => {
        await using lab = await createCaseLab(name, routeSource);
        assert.deepEqual(await contactNewContainers(lab, name, CASES[name].counts.test), []);
      });
});
