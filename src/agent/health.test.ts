// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { healthOf } from "./health.ts";

describe("an agent's health", () => {
  const rows = [
    { what: "nothing goes on", state: {}, reasons: { start: [], dataplane: [] } },
    {
      what: "the kernel takes its time",
      state: { applyingForMs: 60_000 },
      reasons: { start: [], dataplane: [] },
    },
    {
      what: "the kernel does not answer",
      state: { applyingForMs: 61_900 },
      reasons: { start: [], dataplane: ["the kernel has not answered for 61 seconds"] },
    },
    {
      what: "it could not start",
      state: { startFailure: "no" },
      reasons: { start: ["it could not start: no"], dataplane: [] },
    },
  ];
  for (const { what, state, reasons } of rows) {
    it(`is told part by part where ${what}`, () => {
      assert.deepEqual(healthOf({ startFailure: undefined, applyingForMs: undefined, ...state }), reasons);
    });
  }
});
