// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { type BarGroup, renderBarChart } from "../report/bar-chart.ts";
import { writeSection } from "../report/page.ts";
import { type Summary, median, summarize } from "../report/statistics.ts";
import { renderTable } from "../report/table.ts";
import { LOAD_NAMES, type Load, type Window } from "./load.ts";
import { WAY_NAMES, type Way } from "./way.ts";

const REFERENCE: Way = "plain routing";
const CHART = new URL("../../docs/bench-tunnel.svg", import.meta.url);
/** Ethernet, IPv4, and TCP with time stamps: counted with each packet, and nothing that a program had sent. */
const HEADER_BYTES = 14 + 20 + 32;

/** Windows of a way and load stand in the order of their rounds; all ways that are available have as many. */
export interface Results {
  /** What does a way's work, empty where that needs no word; `undefined` where it is not available. */
  readonly kinds: ReadonlyMap<Way, string | undefined>;
  readonly windows: ReadonlyMap<Way, ReadonlyMap<Load, readonly Window[]>>;
  readonly rounds: number;
  readonly seconds: number;
}

export function renderResults(results: Results): string {
  const tables = LOAD_NAMES.map((load) => `${load}:\n\n${renderLoad(results, load)}`);
  return [renderConditions(results), ...tables].join("\n\n");
}

/** Puts the chart, and the tables in place of the earlier ones, into docs/. */
export function writeReport(results: Results): void {
  writeSection("tunnel", renderResults(results));
  writeFileSync(CHART, renderChart(results));
}

function renderConditions({ windows, rounds, seconds }: Results): string {
  const all = [...windows.values()].flatMap((loads) => [...loads.values()].flat());
  const others = all.map(({ cpu }) => Math.max(0, 1 - cpu.own / cpu.coreBusy));
  const share = Math.round(median(others) * 100);
  return `Linux ${release()}, ${rounds} rounds of ${seconds} s. Other work took ${share} % of the core's time.`;
}

function renderLoad(results: Results, load: Load): string {
  const head = isStream(load)
    ? ["", "MB per CPU-second", "ratio to plain", "ns of CPU per KiB", "Gbit/s"]
    : ["", "requests per CPU-second", "ratio to plain", "µs of CPU per request", "round trip, µs"];
  return renderTable([
    head,
    ...WAY_NAMES.map((way) => [labelOf(results, way), ...cellsOf(results, way, load)]),
  ]);
}

function cellsOf(results: Results, way: Way, load: Load): readonly string[] {
  const windows = windowsOf(results, way, load);
  if (windows.length === 0) return ["not available"];
  const work = summarize(windows.map(load === "one TCP stream" ? megabytesPerSecond : requestsPerSecond));
  const ratio = summarize(ratiosOf(results, way, load));
  const costs = isStream(load)
    ? [Math.round((1e3 * 1024) / work.median), median(windows.map(gigabits)).toFixed(1)]
    : [
        (1e6 / work.median).toFixed(1),
        median(windows.map(({ roundTripUs = NaN }) => roundTripUs)).toFixed(1),
      ];
  return [spread(work, whole), spread(ratio, (value) => value.toFixed(2)), ...costs.map(String)];
}

function isStream(load: Load): boolean {
  return load === "one TCP stream";
}

/** Each round's against plain routing's of the same round, which had the same machine a moment before. */
function ratiosOf(results: Results, way: Way, load: Load): readonly number[] {
  const reference = windowsOf(results, REFERENCE, load).map(workOf(load));
  return windowsOf(results, way, load).map(
    (window, round) => workOf(load)(window) / (reference[round] ?? NaN),
  );
}

function workOf(load: Load): (window: Window) => number {
  return isStream(load) ? megabytesPerSecond : requestsPerSecond;
}

function requestsPerSecond({ packets, cpu }: Window): number {
  return packets / cpu.own;
}

function megabytesPerSecond({ cpu, ...window }: Window): number {
  return payloadBytes(window) / cpu.own / 1e6;
}

function gigabits({ seconds, ...window }: Window): number {
  return (payloadBytes(window) * 8) / seconds / 1e9;
}

function payloadBytes({ bytes, packets }: Pick<Window, "bytes" | "packets">): number {
  return bytes - packets * HEADER_BYTES;
}

function windowsOf({ windows }: Results, way: Way, load: Load): readonly Window[] {
  return windows.get(way)?.get(load) ?? [];
}

function labelOf({ kinds }: Results, way: Way): string {
  const kind = kinds.get(way) ?? "";
  return kind === "" ? way : `${way} ${kind}`;
}

function spread({ median: middle, smallest, largest }: Summary, format: (value: number) => string): string {
  return `${format(middle)} (${format(smallest)} … ${format(largest)})`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function renderChart(results: Results): string {
  const title = "Work per CPU-second, plain routing = 1";
  const groups = LOAD_NAMES.map((load) => groupOf(results, load));
  const description = groups
    .map(({ title: load, bars }) => {
      const said = bars.map(({ label, value }) => `${label} ${value?.median.toFixed(2) ?? "not available"}`);
      return `${load}: ${said.join(", ")}`;
    })
    .join(". ");
  return renderBarChart({ title, description, groups });
}

function groupOf(results: Results, load: Load): BarGroup {
  const bars = WAY_NAMES.map((way) => {
    const ratios = ratiosOf(results, way, load);
    const value = ratios.length === 0 ? undefined : summarize(ratios);
    return { label: labelOf(results, way), value, isReference: way === REFERENCE };
  });
  return { title: load, bars };
}
