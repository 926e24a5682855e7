// SPDX-License-Identifier: Apache-2.0
import { loadavg, release } from "node:os";
import { writeSection } from "../report/page.ts";
import { summarize } from "../report/statistics.ts";
import { renderTable } from "../report/table.ts";

/** One cut of the cable. */
export interface Sample {
  readonly variant: string;
  readonly delayMs: number;
}

export function renderResults(samples: readonly Sample[]): string {
  const variants = [...new Set(samples.map(({ variant }) => variant))];
  const rows = variants.map((variant) => renderRow(variant, samples));
  const head = ["a router is given up by", "median, ms", "shortest, ms", "longest, ms", "cuts"];
  const load = loadavg()[0]?.toFixed(1) ?? "";
  return `Linux ${release()}, FRR on the routers; load at the end ${load}.\n\n${renderTable([head, ...rows])}`;
}

/** Puts the table in place of the earlier one in docs/. */
export function writeReport(samples: readonly Sample[]): void {
  writeSection("reroute", renderResults(samples));
}

function renderRow(variant: string, samples: readonly Sample[]): readonly string[] {
  const delays = samples.filter((sample) => sample.variant === variant).map(({ delayMs }) => delayMs);
  const { median, smallest, largest } = summarize(delays);
  return [
    variant,
    ...[median, smallest, largest, delays.length].map((value) => Math.round(value).toLocaleString("en")),
  ];
}
