// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

const OPTIONS = { firstMs: 100, limitMs: 5000 };

test("waits double up to the limit and stay there", () => {
  const waits = [1, 2, 3, 6, 7, 1000, Number.MAX_SAFE_INTEGER].map((failures) =>
    backoffMs(failures, OPTIONS, 0),
  );
  assert.deepEqual(waits, [100, 200, 400, 3200, 5000, 5000, 5000]);
});

test("chance shortens a wait by less than half", () => {
  assert.equal(backoffMs(2, OPTIONS, 0.5), 150);
  const wait = backoffMs(9, OPTIONS);
  assert.ok(wait > 2500 && wait <= 5000);
});
