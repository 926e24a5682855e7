// SPDX-License-Identifier: Apache-2.0
/**
 * How long tests wait, in milliseconds, for what has to happen. Only what hangs takes so long, also on an emulated machine that is twenty
 * times slower than others: no test's expectation.
 */
export const PATIENCE_MS = 240_000;

/** What `ping -W` is told, in seconds, where an answer has to come: less than its process has. */
export const PING_PATIENCE_S = String(PATIENCE_MS / 2000);

/** One packet that has to be answered; what it goes to comes behind. */
export const PING_ONCE = ["ping", "-n", "-c", "1", "-W", PING_PATIENCE_S] as const;
