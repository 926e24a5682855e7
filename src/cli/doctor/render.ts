// SPDX-License-Identifier: Apache-2.0
import { type LocatedCheck, RESULTS, type Result, sortChecks } from "../../doctor/check.ts";
import { columnWidths, renderRow } from "../table.ts";

/** What `-o json` prints. */
export interface DoctorReport {
  /** Whether there is no fault; there may be warnings. */
  readonly ok: boolean;
  /** Faults first. */
  readonly checks: readonly LocatedCheck[];
}

export function reportOf(checks: readonly LocatedCheck[]): DoctorReport {
  return { ok: checks.every(({ result }) => result !== "fault"), checks: sortChecks(checks) };
}

const IN_WORDS: Readonly<Record<Result, readonly [one: string, several: string]>> = {
  fault: ["fault", "faults"],
  warning: ["warning", "warnings"],
  skipped: ["check skipped", "checks skipped"],
  ok: ["check is well", "checks are well"],
};

/** How many of each, then a line for each check, with what to do about it where something is to be done. */
export function renderReport({ checks }: DoctorReport): string {
  const rows = checks.map(({ result, where, name, lookedAt, reason }) =>
    [result === "ok" ? "ok" : result.toUpperCase(), where, name, lookedAt, reason].map(printable),
  );
  // The reason is the last column: nothing has to stand beside the longest.
  const widths = columnWidths(rows).with(-1, 0);
  const lines = checks.flatMap(({ remedy }, index) => [
    renderRow(rows[index] ?? [], widths),
    ...(remedy === null ? [] : [`  -> ${printable(remedy.advice)}`]),
    ...(remedy?.commands ?? []).map((command) => `     $ ${printable(command)}`),
  ]);
  return [summary(checks), ...lines].join("\n");
}

function summary(checks: readonly LocatedCheck[]): string {
  return RESULTS.flatMap((result) => {
    const count = checks.filter((check) => check.result === result).length;
    const [one, several] = IN_WORDS[result];
    return count === 0 ? [] : [`${count} ${count === 1 ? one : several}`];
  }).join(", ");
}

/** Names of chains and errors of other programs are others' texts: none of them is to move a terminal's cursor. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ").trim();
}
