// SPDX-License-Identifier: Apache-2.0
// A trace as a picture: a line for each station, the packet's way across them from top to bottom, and beside it the words of each step.
import type { Fault, Step, Trace } from "./trace.ts";
import { describeFact, describeProbe, describeTime } from "./words.ts";

const COLUMN = 92;
const LEFT = 60;
const LINE = 16;
const GAP = 8;
const TOP = 84;
/** Characters of a line of words, and how wide one is drawn at most. */
const TEXT_COLUMNS = 104;
const CHARACTER = 7;

const STYLE = `
    .title { font-size: 15px; font-weight: 600; fill: #16283c }
    .station { font-size: 13px; font-weight: 600; fill: #16283c; text-anchor: middle }
    .text { font-size: 12px; fill: #31465c }
    .life { stroke: #c9d4e0; stroke-width: 1.5 }
    .there { stroke: #2f8f6b; fill: #2f8f6b; stroke-width: 2.5 }
    .back { stroke: #3b5b7e; fill: #3b5b7e; stroke-width: 2.5 }
    .fault { fill: #b3261e; font-size: 12px; font-weight: 600 }
    .mark { stroke: #b3261e; stroke-width: 3 }`;

interface Row {
  readonly step: Step;
  readonly lines: readonly string[];
  /** Where its first line stands. */
  readonly y: number;
}

/** A whole document, `<svg …>`, whose texts are escaped. */
export function renderSvg(trace: Trace): string {
  const { steps, fault } = trace;
  const stations = [...new Set([...steps.map(({ station }) => station), ...(fault ? [fault.station] : [])])];
  const x = (station: string): number => LEFT + stations.indexOf(station) * COLUMN;
  const rows = layOut(steps);
  const last = rows.at(-1);
  const end = last === undefined ? TOP : last.y + last.lines.length * LINE + GAP;
  const words = LEFT + stations.length * COLUMN;
  const verdict = fault === null ? [] : verdictLines(fault);
  const height = end + (verdict.length + 2) * LINE;
  const width = words + TEXT_COLUMNS * CHARACTER;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif">`,
    `  <title>${escape(titleOf(trace))}</title>`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text("title", 16, 28, titleOf(trace)),
    ...stations.flatMap((station) => [
      text("station", x(station), TOP - 26, station),
      line("life", x(station), TOP - 16, x(station), end),
    ]),
    ...arrows(rows, x),
    ...rows.flatMap(({ step, lines, y }) => [
      circle(step, x(step.station), y),
      ...lines.map((words_, index) => text("text", words, y + 4 + index * LINE, words_)),
    ]),
    ...(fault === null ? [] : cross(x(fault.station), end)),
    ...verdict.map((words_, index) => text("fault", words, end + 4 + index * LINE, words_)),
    "</svg>",
  ].join("\n");
}

function titleOf({ source, destination, probe, ok }: Trace): string {
  const [from, to] = [source, destination].map(({ name, address }) => name ?? address);
  return `${from ?? ""} to ${to ?? ""}: ${describeProbe(probe)}: ${ok ? "works" : "is broken"}`;
}

function layOut(steps: readonly Step[]): readonly Row[] {
  const rows: Row[] = [];
  let y = TOP;
  for (const [index, step] of steps.entries()) {
    const lines = wrap(
      `${index + 1}  ${step.station}, ${step.evidence}${describeTime(step.fact)}: ${describeFact(step.fact)}`,
    );
    rows.push({ step, lines, y });
    y += lines.length * LINE + GAP;
  }
  return rows;
}

/** From each capture point to the next: between stations, and down along one. */
function arrows(rows: readonly Row[], x: (station: string) => number): readonly string[] {
  const seen = rows.filter(({ step }) => step.fact.kind === "seen");
  return seen.slice(1).flatMap((row, index) => {
    const before = seen[index];
    if (before === undefined || before.step.direction !== row.step.direction) return [];
    return [line(row.step.direction, x(before.step.station), before.y, x(row.step.station), row.y)];
  });
}

function verdictLines({ text: cause, remedy }: Fault): readonly string[] {
  return [...wrap(`Cause: ${cause}`), ...wrap(`Remedy: ${remedy}`)];
}

/** Between words; one that is longer than a line stands alone. */
function wrap(words: string): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > TEXT_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function circle({ direction, fact }: Step, x: number, y: number): string {
  const radius = fact.kind === "seen" ? 4 : 2;
  return `  <circle class="${direction}" cx="${x}" cy="${y}" r="${radius}"/>`;
}

function cross(x: number, y: number): readonly string[] {
  return [line("mark", x - 6, y - 6, x + 6, y + 6), line("mark", x - 6, y + 6, x + 6, y - 6)];
}

function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `  <line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

function text(kind: string, x: number, y: number, words: string): string {
  return `  <text class="${kind}" x="${x}" y="${y}">${escape(words)}</text>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

function escape(words: string): string {
  return words.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
