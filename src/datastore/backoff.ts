// SPDX-License-Identifier: Apache-2.0

export interface BackoffOptions {
  readonly firstMs: number;
  readonly limitMs: number;
}

/**
 * How long to wait before the next try after `failures` in a row (1 or more): doubling from `firstMs` to `limitMs`,
 * less up to half at random, so that clients cut off together do not come back together.
 * `random` is in [0, 1).
 */
export function backoffMs(
  failures: number,
  { firstMs, limitMs }: BackoffOptions,
  random = Math.random(),
): number {
  // Beyond 2^30 the limit was reached long ago.
  const wholeMs = Math.min(limitMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return wholeMs * (1 - random / 2);
}
