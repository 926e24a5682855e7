// SPDX-License-Identifier: Apache-2.0
/**
 * How long tests wait, in milliseconds, for what has to happen. Only what hangs takes so long, also on an emulated machine that is twenty
 * times slower than others: no test's expectation.
 */
export const PATIENCE_MS = 240_000;
