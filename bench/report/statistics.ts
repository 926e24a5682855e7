// SPDX-License-Identifier: Apache-2.0

/** The middle value; `NaN` of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The least value that so large a share of all (0 to 1) does not exceed; `NaN` of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** What rounds gave. */
export interface Summary {
  readonly median: number;
  readonly smallest: number;
  readonly largest: number;
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), smallest: Math.min(...values), largest: Math.max(...values) };
}
