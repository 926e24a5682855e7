// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { amissInBoth, sortChecks, subject } from "./check.ts";

it("what is amiss for a moment is left out, and what stays well stays", () => {
  const [a, b, c] = [subject("a", "1"), subject("b", "1"), subject("c", "1")];
  const [gone, stays, comes] = [a.fault("x", "y"), b.fault("x", "y"), c.fault("x", "y")];
  assert.deepEqual(amissInBoth([gone, stays, c.ok("z")], [a.ok("z"), stays, comes]), [a.ok("z"), stays]);
});

it("faults come first, and what is alike stays in its order", () => {
  const names = sortChecks([
    subject("1", "").ok(""),
    subject("2", "").warning("", ""),
    subject("3", "").fault("", ""),
    subject("4", "").skipped(""),
    subject("5", "").fault("", ""),
  ]).map(({ name }) => name);
  assert.deepEqual(names, ["3", "5", "2", "4", "1"]);
});
