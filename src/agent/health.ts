// SPDX-License-Identifier: Apache-2.0

/** What a restart of the agent may mend. */
export interface HealthState {
  /** Why it could not start, if it could not. */
  readonly startFailure: string | undefined;
  /** For how long the kernel has been worked on, in milliseconds; `undefined` while nothing is. */
  readonly applyingForMs: number | undefined;
}

/** What is carried out in one go takes seconds at the most, on the slowest machine with the most containers. */
const LONGEST_APPLY_MS = 60_000;

/** Why each part does not work; empty for those that do. */
export function healthOf({
  startFailure,
  applyingForMs = 0,
}: HealthState): Readonly<Record<"start" | "dataplane", readonly string[]>> {
  const isStuck = applyingForMs > LONGEST_APPLY_MS;
  const seconds = Math.floor(applyingForMs / 1000);
  return {
    start: startFailure === undefined ? [] : [`it could not start: ${startFailure}`],
    dataplane: isStuck ? [`the kernel has not answered for ${seconds} seconds`] : [],
  };
}
