// SPDX-License-Identifier: Apache-2.0
// What a command printed against what a page shows of it. In what is shown,
//   …           is any text within a line, and alone any number of lines;
//   a value     that is another one in each run (a MAC address, a container's address, a time, a process) stands for any of its kind. An address
//               that the page shows again is the same one again, in all that the page shows;
//   columns     are spaced as they like.

/** Kinds of values that differ from run to run. Of those with an identity, what is shown as one value has to be one value. */
const VARYING: readonly { readonly pattern: string; readonly hasIdentity: boolean }[] = [
  { pattern: "(?!ee:ee:ee:ee:ee:ee)[0-9a-f]{2}(?::[0-9a-f]{2}){5}", hasIdentity: true },
  // Of the pools that pages have; a prefix is none.
  { pattern: String.raw`(?<![\d.])10\.[12]\.\d+\.\d+(?![\d.])(?!\/(?!32\b))`, hasIdentity: true },
  { pattern: String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`, hasIdentity: false },
  { pattern: String.raw`\d\d:\d\d:\d\d(?:\.\d+)?`, hasIdentity: false },
  { pattern: String.raw`\+?\b\d+(?:\.\d+)?(?= [µm]?s\b)`, hasIdentity: false },
  {
    pattern: String.raw`(?<=\b(?:agent|bird|process|identifier|sequence|pid|PID|UDP|id|up for)[ :=]+)\d+\b`,
    hasIdentity: false,
  },
  { pattern: String.raw`(?<=\btime(?:=| ))[\d.]+(?= ?ms)`, hasIdentity: false },
  { pattern: String.raw`(?<=\bBIRD )2\.[\d.]+`, hasIdentity: false },
];
const ANY_VARYING = new RegExp(
  VARYING.map(({ pattern }, index) => `(?<kind${index}>${pattern})`).join("|"),
  "g",
);

/** Values that a page has shown, and what they were in this run. */
export type Known = Map<string, string>;

/** Whether a command printed what the page shows; what that tells of the page's values is added to those that are known. */
export function isAsShown(output: string, shown: string, known: Known = new Map()): boolean {
  const names: string[] = [];
  const pattern = linesOf(shown)
    .map((line) => (line === "…" ? "(?:.*\n)*?" : `${patternOf(line, known, names)}\n`))
    .join("");
  const match = new RegExp(`^${pattern}$`).exec(linesOf(output).join("\n") + "\n");
  if (match === null) return false;
  names.forEach((name, index) => known.set(name, match.groups?.[`value${index}`] ?? ""));
  return true;
}

/** @param names gets the values that are not known yet, in the order of their groups. */
function patternOf(line: string, known: Known, names: string[]): string {
  let at = 0;
  let pattern = "";
  for (const match of line.matchAll(ANY_VARYING)) {
    pattern += literal(line.slice(at, match.index)) + patternOfValue(match, known, names);
    at = match.index + match[0].length;
  }
  return pattern + literal(line.slice(at));
}

function patternOfValue(match: RegExpExecArray, known: Known, names: string[]): string {
  const [value] = match;
  const kind = VARYING.find((_, index) => match.groups?.[`kind${index}`] !== undefined);
  if (kind === undefined) throw new TypeError(`no kind has "${value}"`);
  if (!kind.hasIdentity) return kind.pattern;
  const was = known.get(value);
  if (was !== undefined) return literal(was);
  const index = names.indexOf(value);
  if (index !== -1) return String.raw`\k<value${index}>`;
  names.push(value);
  return `(?<value${names.length - 1}>${kind.pattern})`;
}

function literal(text: string): string {
  return text
    .split("…")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`))
    .join(".*");
}

function linesOf(text: string): readonly string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "));
}
