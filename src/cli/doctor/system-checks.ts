// SPDX-License-Identifier: Apache-2.0
import { type Check, subject } from "../../doctor/check.ts";
import type { SystemReport } from "../node/system-check.ts";

/** What `node checksystem` finds, as far as the node needs it. Which address it would take matters no more: it has one. */
export function systemChecks({ checks }: SystemReport): readonly Check[] {
  return checks
    .filter(({ neededFor, needed, ok }) => (ok || needed) && neededFor.length > 0)
    .map((check) => {
      const checked = subject("system", check.name);
      return check.ok ? checked.ok(check.found) : checked.fault(check.found, check.remedy);
    });
}
