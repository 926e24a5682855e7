// SPDX-License-Identifier: Apache-2.0
import { FAMILIES, familyOf } from "../net/ip.ts";
import type { CheckReport, PairResult } from "./check.ts";

/** More columns than this do not fit a terminal; then only rows that have a fault are shown. */
const MAX_COLUMNS = 24;

/** Who reaches whom, as text: a row for each sender, a column for each receiver, then what is wrong in words. */
export function renderMatrix({ ok, participants, pairs }: CheckReport): string {
  const faults = pairs.filter(isFault);
  const names = new Set(participants.filter(({ kind }) => kind === "container").map(({ name }) => name));
  const lines = names.size <= MAX_COLUMNS ? renderTables({ participants, pairs }) : [];
  const reached = pairs.filter(({ reachable }) => reachable).length;
  const verdict = ok ? "No source address was translated." : `${faults.length} wrong:`;
  return [
    ...lines,
    ...(lines.length > 0 ? [""] : []),
    `${reached} of ${pairs.length} pairs reach each other. ${pairs.length === 0 ? "" : verdict}`.trim(),
    ...faults.map((fault) => `  ${explain(fault)}`),
  ].join("\n");
}

/** One of IPv4, and one of IPv6 below it where anybody has an address of that. */
function renderTables({ participants, pairs }: Pick<CheckReport, "participants" | "pairs">): string[] {
  const tables = FAMILIES.map((family) =>
    renderTable({
      participants: participants.filter(({ address }) => familyOf(address) === family),
      pairs: pairs.filter((pair) => pair.family === family),
    }),
  );
  return tables
    .filter((table, index) => index === 0 || table.length > 1)
    .flatMap((table, index) => (index === 0 ? table : ["", ...table]));
}

function renderTable({ participants, pairs }: Pick<CheckReport, "participants" | "pairs">): string[] {
  const columns = participants.filter(({ kind }) => kind === "container").map(({ name }) => name);
  const byName = new Map(pairs.map((pair) => [key(pair.from, pair.to), pair]));
  const head = ["from", "address", ...columns];
  const rows = participants
    .filter(({ name }) => pairs.some(({ from }) => from === name))
    .map(({ name, address }) => [name, address, ...columns.map((to) => cell(byName.get(key(name, to))))]);
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function cell(pair: PairResult | undefined): string {
  if (pair === undefined) return "·";
  if (pair.translated) return "NAT";
  return pair.reachable ? "✓" : "✗";
}

function isFault({ reachable, translated }: PairResult): boolean {
  return !reachable || translated;
}

function explain({ family, from, to, reachable, source, translated }: PairResult): string {
  const pair = `${from} -> ${to}${family === 6 ? " by IPv6" : ""}`;
  if (translated) return `${pair}: the receiver saw ${source ?? "nothing"}, which is not ${from}'s address`;
  if (!reachable && source !== null) return `${pair}: the probe arrived, its answer did not`;
  return `${pair}: nothing arrived`;
}

function key(from: string, to: string): string {
  return `${from} ${to}`;
}
