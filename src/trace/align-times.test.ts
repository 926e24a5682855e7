// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { alignTimes } from "./align-times.ts";
import { ECHO, THERE, sightingsOf } from "./reference-network.ts";

it("has what came to the other machine after what left this one, to whatever times their clocks were set", () => {
  const seen = sightingsOf(THERE);
  const left = seen.findLast(({ station }) => station === "host1") ?? assert.fail();
  const came = seen.find(({ station }) => station === "host2") ?? assert.fail();
  for (let n = 1; n <= 2000; n++) {
    const own = { probe: ECHO, sightings: [{ ...left, atUs: (n * 37) / 1000 }], resolutions: [] };
    const other = { node: "host2", sightings: [{ ...came, atUs: (n * 7919 + 13) / 1000 }], resolutions: [] };
    const { sightings } = alignTimes(own, other);
    assert.deepEqual(
      sightings.map(({ station }) => station),
      ["host1", "host2"],
      `clocks of ${n}`,
    );
  }
});
