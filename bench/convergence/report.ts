// SPDX-License-Identifier: Apache-2.0
import { release } from "node:os";
import { writeSection } from "../report/page.ts";
import { quantile } from "../report/statistics.ts";
import { renderTable } from "../report/table.ts";

export const ROUTE_SOURCES = ["datastore", "bird"] as const;
export type RouteSource = (typeof ROUTE_SOURCES)[number];

/** One node's hearing of one block. */
export interface Sample {
  readonly nodes: number;
  readonly source: RouteSource;
  readonly delayMs: number;
}

export function renderResults(samples: readonly Sample[]): string {
  const sizes = [...new Set(samples.map(({ nodes }) => nodes))];
  const rows = sizes.flatMap((nodes) => ROUTE_SOURCES.map((source) => renderRow(samples, nodes, source)));
  const head = ["nodes", "routes by", "p50, ms", "p99, ms", "routes"];
  return `Linux ${release()}, etcd with one member, all nodes on one machine.\n\n${renderTable([head, ...rows])}`;
}

/** Puts the table in place of the earlier one in docs/. */
export function writeReport(samples: readonly Sample[]): void {
  writeSection("convergence", renderResults(samples));
}

function renderRow(samples: readonly Sample[], nodes: number, source: RouteSource): readonly string[] {
  const delays = samples
    .filter((sample) => sample.nodes === nodes && sample.source === source)
    .map(({ delayMs }) => delayMs);
  const [p50, p99] = [quantile(delays, 0.5), quantile(delays, 0.99)];
  return [String(nodes), source, p50.toFixed(1), p99.toFixed(1), String(delays.length)];
}
