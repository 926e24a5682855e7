// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import type { ProcessRunner } from "../system/process.ts";

/** What every command of the lab works with. */
export interface LabTools {
  readonly processes: ProcessRunner;
  readonly clock: Clock;
  /** Takes one short line about what is done now. */
  readonly progress: (line: string) => void;
}
