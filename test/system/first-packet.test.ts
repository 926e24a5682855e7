// SPDX-License-Identifier: Apache-2.0
// `npm run soak -- first-packet` does it a thousand times.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CASES, contactNewContainers, createCaseLab } from "../soak/first-packet-run.ts";

const COUNTS = { known: 60, new: 40, borrowed: 40 };

describe("the first packet from another node to a container that has just been attached", () => {
  for (const kind of Object.keys(CASES) as (keyof typeof CASES)[])
    for (const routeSource of ["bird", "datastore"] as const)
      it(`arrives where its address is ${kind}, with routes by ${routeSource}`, async () => {
        await using lab = await createCaseLab(kind, routeSource);
        const { routeReadiness } = CASES[kind];
        const contacts = { from: "c", count: COUNTS[kind], routeReadiness };
        assert.deepEqual(await contactNewContainers(lab, contacts), []);
      });
});
