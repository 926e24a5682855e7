// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PathState, type Step, planPath } from "./plan.ts";

describe("the step for a path", () => {
  const state: PathState = {
    path: "/p",
    present: "sha256:new",
    wanted: "sha256:new",
    recorded: [],
    isOperators: false,
  };
  const operators = { isOperators: true, present: "sha256:theirs" };
  const cases: readonly (readonly [
    what: string,
    state: Partial<PathState>,
    kind: Step["kind"],
    overwriting: Step["kind"],
  ])[] = [
    ["nothing is there", { present: undefined }, "write", "write"],
    ["it is as it should be", {}, "none", "none"],
    ["our last version is there", { present: "sha256:old", recorded: ["sha256:old"] }, "write", "write"],
    [
      "a replacement was cut short",
      { present: "sha256:old", recorded: ["sha256:old", "sha256:new"] },
      "write",
      "write",
    ],
    ["somebody else's is there", { present: "sha256:theirs" }, "keep", "write"],
    ["ours was changed", { present: "sha256:changed", recorded: ["sha256:old"] }, "keep", "write"],
    ["a folder is there", { present: "other", recorded: ["sha256:old"] }, "keep", "keep"],
    ["the operator's is there", operators, "keep", "keep"],
    ["the operator has not changed it", { ...operators, recorded: ["sha256:theirs"] }, "keep", "keep"],
    ["the operator's is not there", { isOperators: true, present: undefined }, "write", "write"],
    [
      "nothing is wanted, and ours is there",
      { wanted: undefined, recorded: ["sha256:new"] },
      "remove",
      "remove",
    ],
    [
      "nothing is wanted, and ours was changed",
      { wanted: undefined, recorded: ["sha256:old"] },
      "keep",
      "remove",
    ],
    ["nothing is wanted or there", { wanted: undefined, present: undefined }, "none", "none"],
    [
      "the operator's goes, unchanged",
      { ...operators, wanted: undefined, recorded: ["sha256:theirs"] },
      "remove",
      "remove",
    ],
    [
      "the operator's goes, changed",
      { ...operators, wanted: undefined, recorded: ["sha256:old"] },
      "keep",
      "keep",
    ],
  ];
  for (const [what, more, kind, overwriting] of cases) {
    it(`is "${kind}" where ${what}, and "${overwriting}" where overwriting was asked for`, () => {
      assert.equal(planPath({ ...state, ...more }, { overwrite: false }).kind, kind);
      assert.equal(planPath({ ...state, ...more }, { overwrite: true }).kind, overwriting);
    });
  }
});
