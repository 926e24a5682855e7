// SPDX-License-Identifier: Apache-2.0
// A trace as a picture: a lane for each station, the packet's way across them from top to bottom, and beside it the words of each step.
// Words are in a font whose characters are all as wide, so that where a line ends is known without measuring.
import { outerIp } from "./headers.ts";
import type { Evidence, Fault, Step, Trace } from "./trace.ts";
import type { Direction } from "./view.ts";
import { circle, escaped, line, rect, text, textWithLead } from "./svg-elements.ts";
import { SVG_STYLE } from "./svg-style.ts";
import { describeFact, describeProbe, describeTime } from "./words.ts";

const MARGIN = 24;
/** A lane is at least so wide; names are broken where they are longer than fits. */
const LANE = 96;
const NAME_COLUMNS = 16;
const LINE = 17;
/** Between two steps. */
const GAP = 9;
/** Of a character of 12 px in fonts of one width: 0.602 em at most. */
const CHARACTER = 7.25;
const WORD_COLUMNS = 96;
/** Beside the lanes: the number, how it is known, and when. */
const MARK_COLUMN = 36;
const TIME_COLUMN = 108;
const WORDS_COLUMN = 184;
const TITLE_COLUMNS = 110;

const TITLES: Readonly<Record<Direction, string>> = { there: "The way there", back: "The way back" };
const MARKS: Readonly<Record<Evidence, string>> = { captured: "seen", asked: "asked", computed: "computed" };

interface Row {
  readonly step: Step;
  readonly number: number;
  readonly lines: readonly string[];
  /** The baseline of its first line. */
  readonly y: number;
}

interface Section {
  readonly direction: Direction;
  readonly y: number;
}

interface Layout {
  readonly rows: readonly Row[];
  readonly sections: readonly Section[];
  /** Below the last. */
  readonly end: number;
}

/** A whole document, `<svg …>`, whose texts are escaped; it is light or dark as whoever shows it wants. */
export function renderSvg(trace: Trace): string {
  const { steps, fault } = trace;
  const stations = [...new Set([...steps.map(({ station }) => station), ...(fault ? [fault.station] : [])])];
  const names = stations.map((station) => broken(station, NAME_COLUMNS));
  const lane = Math.max(LANE, ...names.flat().map((name) => name.length * (CHARACTER + 1) + 20));
  const x = (station: string): number => MARGIN + lane / 2 + stations.indexOf(station) * lane;
  const title = wrapped(titleOf(trace), TITLE_COLUMNS);
  const heads = MARGIN + title.length * 22 + 24;
  const top = heads + Math.max(0, ...names.map((parts) => parts.length)) * LINE + 20;
  const { rows, sections, end } = layOut(steps, top);
  const words = MARGIN + stations.length * lane + 20;
  const width = words + WORDS_COLUMN + WORD_COLUMNS * CHARACTER + MARGIN;
  const verdict = fault === null ? works(words, end) : broke(fault, words, end, x(fault.station));
  const height = end + verdict.height + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `  <title>${escaped(titleOf(trace))}</title>`,
    SVG_STYLE,
    rect("page", { x: 0, y: 0, width, height }),
    ...title.map((part, index) => text("title", MARGIN, MARGIN + 14 + index * 22, part)),
    ...bands(rows, width),
    ...stations.flatMap((station, index) => [
      line("lane", x(station), top - 12, x(station), end - GAP),
      ...(names[index] ?? []).map((part, at) => text("station", x(station), heads + at * LINE, part)),
    ]),
    ...sections.map(({ direction, y }) => text(`section ${direction}`, words, y, TITLES[direction])),
    ...arrows(rows, x),
    ...rows.flatMap((row) => [...dot(row, x(row.step.station)), ...wordsOf(row, words)]),
    ...verdict.elements,
    "</svg>",
  ].join("\n");
}

function titleOf({ source, destination, probe, ok }: Trace): string {
  const [from, to] = [source, destination].map(({ name, address }) => name ?? address);
  return `${from ?? ""} to ${to ?? ""}: ${describeProbe(probe)}: ${ok ? "works" : "is broken"}`;
}

function layOut(steps: readonly Step[], top: number): Layout {
  const rows: Row[] = [];
  const sections: Section[] = [];
  let y = top;
  for (const [index, step] of steps.entries()) {
    if (steps[index - 1]?.direction !== step.direction) {
      sections.push({ direction: step.direction, y: y + LINE + GAP });
      y += 2 * LINE + 2 * GAP;
    }
    const lines = wrapped(`${step.station}  ${describeFact(step.fact)}`, WORD_COLUMNS);
    rows.push({ step, number: index + 1, lines, y: y + LINE - 4 });
    y += lines.length * LINE + GAP;
  }
  return { rows, sections, end: y + GAP };
}

/** Every other row has one, so that the eye finds from a dot to its words. */
function bands(rows: readonly Row[], width: number): readonly string[] {
  return rows
    .filter(({ number }) => number % 2 === 0)
    .map(({ y, lines }) =>
      rect("band", { x: 0, y: y - LINE + 1, width, height: lines.length * LINE + GAP - 2 }),
    );
}

/** From each capture point to the next: between stations, and down along one; wide where the packet is inside another. */
function arrows(rows: readonly Row[], x: (station: string) => number): readonly string[] {
  const seen = rows.filter(({ step }) => step.fact.kind === "seen");
  return seen.slice(1).flatMap((row, index) => {
    const before = seen[index];
    if (before === undefined || before.step.direction !== row.step.direction) return [];
    const ends = [x(before.step.station), dotY(before), x(row.step.station), dotY(row)] as const;
    const isBetween = before.step.station !== row.step.station;
    const isTunnelled = isBetween && row.step.fact.kind === "seen" && outerIp(row.step.fact.headers);
    const kind = row.step.direction;
    return [...(isTunnelled ? [line("tunnel", ...ends)] : []), line(kind, ...ends)];
  });
}

function dotY({ y }: Row): number {
  return y - 4;
}

/** Filled where a packet was seen. */
function dot(row: Row, x: number): readonly string[] {
  const { step, number } = row;
  const kind = `dot ${step.direction}${step.evidence === "captured" ? "" : " hollow"}`;
  return [circle(kind, x, dotY(row), 9), text("number", x, dotY(row) + 3.5, String(number))];
}

function wordsOf({ step, number, lines, y }: Row, x: number): readonly string[] {
  const [first = "", ...rest] = lines;
  const { station, evidence, fact } = step;
  return [
    text("count", x + 22, y, String(number)),
    text("mark", x + MARK_COLUMN, y, MARKS[evidence]),
    text("mark", x + TIME_COLUMN, y, describeTime(fact)),
    textWithLead("words", x + WORDS_COLUMN, y, station, first.slice(station.length)),
    ...rest.map((part, index) => text("words", x + WORDS_COLUMN, y + (index + 1) * LINE, part)),
  ];
}

interface Verdict {
  readonly elements: readonly string[];
  readonly height: number;
}

function works(x: number, y: number): Verdict {
  return { elements: [text("works", x, y + LINE, "The path works.")], height: 2 * LINE };
}

/** A cross on the lane where it ended, and a box with the cause and the remedy. */
function broke({ text: cause, remedy }: Fault, x: number, y: number, lane: number): Verdict {
  const columns = WORD_COLUMNS + Math.floor(WORDS_COLUMN / CHARACTER) - 4;
  const lines = [...wrapped(`Cause: ${cause}`, columns), "", ...wrapped(`Remedy: ${remedy}`, columns)];
  const height = (lines.length + 2) * LINE;
  const box = { x, y, width: WORDS_COLUMN + WORD_COLUMNS * CHARACTER, height };
  return {
    elements: [
      line("cross", lane - 7, y + 5, lane + 7, y + 19),
      line("cross", lane - 7, y + 19, lane + 7, y + 5),
      rect("fault-box", box),
      ...lines.map((part, index) => text("fault", x + 14, y + (index + 1.6) * LINE, part)),
    ],
    height,
  };
}

/** Between words; one that is longer than a line is broken. */
function wrapped(words: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of words.split(" ").flatMap((whole) => broken(whole, columns))) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function broken(word: string, columns: number): readonly string[] {
  if (word.length <= columns) return [word];
  return [word.slice(0, columns), ...broken(word.slice(columns), columns)];
}
