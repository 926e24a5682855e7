// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { type BarGroup, renderBarChart } from "../report/bar-chart.ts";
import { writeSection } from "../report/page.ts";
import { median, quantile, summarize } from "../report/statistics.ts";
import { renderTable } from "../report/table.ts";
import { COMMANDS, CONTENDER_NAMES, type Command, type ContenderName, REFERENCE } from "./contender.ts";
import type { Case, Filling, Wave } from "./trial.ts";

const CHART = new URL("../../docs/bench-cni.svg", import.meta.url);
/** The first and the last of a node's containers are so many. */
const FEW = 25;

export interface Results {
  readonly waves: readonly Wave[];
  readonly fillings: readonly Filling[];
  readonly rounds: number;
  /** Containers on each node in the end. */
  readonly limit: number;
  /** The machine's, over a minute. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

export function renderResults(results: Results): string {
  const { rounds, loadBefore, loadAfter } = results;
  const load = `load ${loadBefore.toFixed(1)} before, ${loadAfter.toFixed(1)} at the end`;
  return [
    `Linux ${release()}, ${rounds} rounds; ${load}.`,
    ...casesOf(results).map((one) => `${capitalized(titleOf(one))}:\n\n${renderCase(results, one)}`),
    ...(results.limit > 0
      ? [`ADD on a node that fills up, one at a time:\n\n${renderFilling(results)}`]
      : []),
  ].join("\n\n");
}

/** Puts the chart, and the tables in place of the earlier ones, into docs/. */
export function writeReport(results: Results): void {
  writeSection("cni", renderResults(results));
  writeFileSync(CHART, renderChart(results));
}

function casesOf({ waves }: Results): readonly Case[] {
  const byTitle = new Map<string, Case>(waves.map((wave) => [titleOf(wave), wave]));
  return [...byTitle.values()];
}

function titleOf({ existing, parallel }: Case): string {
  return `${parallel === 1 ? "one" : parallel} at a time, ${existing === 0 ? "no other container" : `${existing} other containers`}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function renderCase(results: Results, one: Case): string {
  const head = COMMANDS.flatMap((command) => [
    `${command}, median ms`,
    "p99",
    "to ptp",
    ...(one.parallel > 1 ? ["a second", "to ptp"] : []),
  ]);
  const rows = CONTENDER_NAMES.map((contender) => [
    contender,
    ...COMMANDS.flatMap((command) => cellsOf(results, one, contender, command)),
  ]);
  return renderTable([["", ...head], ...rows]);
}

function cellsOf(results: Results, one: Case, contender: ContenderName, command: Command): readonly string[] {
  const own = wavesOf(results, one, contender, command);
  const reference = wavesOf(results, one, REFERENCE, command);
  const calls = own.flatMap(({ callsMs }) => callsMs);
  const rate = median(own.map(callsPerSecond));
  return [
    median(calls).toFixed(1),
    quantile(calls, 0.99).toFixed(1),
    (median(calls) / medianMs(reference)).toFixed(2),
    ...(one.parallel > 1 ? [rate.toFixed(1), (rate / median(reference.map(callsPerSecond))).toFixed(2)] : []),
  ];
}

function wavesOf({ waves }: Results, one: Case, contender: ContenderName, command: Command): readonly Wave[] {
  return waves.filter(
    (wave) => wave.contender === contender && wave.command === command && titleOf(wave) === titleOf(one),
  );
}

function medianMs(waves: readonly Wave[]): number {
  return median(waves.flatMap(({ callsMs }) => callsMs));
}

function callsPerSecond({ callsMs, wholeMs }: Wave): number {
  return (callsMs.length / wholeMs) * 1000;
}

function renderFilling({ fillings, limit }: Results): string {
  const few = Math.min(FEW, Math.floor(limit / 2));
  const head = ["", `1st to ${few}th, median ms`, `${limit - few + 1}th to ${limit}th`, "ratio"];
  const rows = CONTENDER_NAMES.map((name) => {
    const own = fillings.filter(({ contender }) => contender === name);
    const [first, last] = [
      median(own.filter(({ before }) => before < few).map(({ callMs }) => callMs)),
      median(own.filter(({ before }) => before >= limit - few).map(({ callMs }) => callMs)),
    ];
    return [name, first.toFixed(1), last.toFixed(1), (last / first).toFixed(2)];
  });
  return renderTable([head, ...rows]);
}

function renderChart(results: Results): string {
  const title = "Time of a call, ptp with host-local = 1";
  const groups = casesOf(results).flatMap((one) => COMMANDS.map((command) => groupOf(results, one, command)));
  const description = groups
    .map(({ title: what, bars }) => {
      const said = bars.map(({ label, value }) => `${label} ${value?.median.toFixed(2) ?? "not available"}`);
      return `${what}: ${said.join(", ")}`;
    })
    .join(". ");
  return renderBarChart({ title, description, groups });
}

function groupOf(results: Results, one: Case, command: Command): BarGroup {
  const bars = CONTENDER_NAMES.map((contender) => ({
    label: contender,
    value: summarize(ratiosOf(results, one, contender, command)),
    isReference: contender === REFERENCE,
  }));
  return { title: `${command}, ${titleOf(one)}`, bars };
}

/** Each round's median against the reference's of the same round, which had the same machine a moment before. */
function ratiosOf(
  results: Results,
  one: Case,
  contender: ContenderName,
  command: Command,
): readonly number[] {
  const own = Map.groupBy(wavesOf(results, one, contender, command), ({ round }) => round);
  const reference = Map.groupBy(wavesOf(results, one, REFERENCE, command), ({ round }) => round);
  return Array.from(own, ([round, waves]) => medianMs(waves) / medianMs(reference.get(round) ?? []));
}
