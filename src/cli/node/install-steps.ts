// SPDX-License-Identifier: Apache-2.0
import type { Step } from "../../install/plan.ts";

export interface StepWords {
  readonly dryRun: boolean;
}

/** One line for each path that something is to be told of. */
export function renderSteps(steps: readonly Step[], { dryRun }: StepWords): readonly string[] {
  const lines = steps.flatMap((step) => {
    switch (step.kind) {
      case "write":
        return [`${dryRun ? "would write" : "written"} ${step.path}`];
      case "remove":
        return [`${dryRun ? "would remove" : "removed"} ${step.path}`];
      case "keep":
        return [`${dryRun ? "would keep" : "kept"} ${step.path}: ${step.reason}`];
      case "none":
        return [];
    }
  });
  return lines.length > 0 ? lines : ["Everything is as it should be"];
}
