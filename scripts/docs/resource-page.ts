// SPDX-License-Identifier: Apache-2.0
// docs/resources.md has a table of fields for each kind. Names, types and defaults in it come from the schemas; what a field does is written in the
// page itself, and stays.
import { ALL_KINDS } from "../../src/model/resource.ts";
import { type Field, commonFields, fieldsOfKind } from "./fields.ts";

export const PAGE = "docs/resources.md";

/** A row of a table: a field, and what Margay does with it, in Markdown. */
export interface Row extends Field {
  readonly text: string;
}

/** A section's heading, and the fields that its table has to have. */
export const SECTIONS: ReadonlyMap<string, readonly Field[]> = new Map([
  ["All kinds", commonFields()],
  ...ALL_KINDS.map((kind) => [kind, fieldsOfKind(kind)] as const),
]);

const HEAD = ["| field | type | default | what it does |", "| --- | --- | --- | --- |"];

/** The page with its tables as the schemas have them; what is said of a field that is still there is kept. */
export function renderPage(page: string): string {
  return sectionsOf(page)
    .map(({ heading, lines }) => renderSection(lines, SECTIONS.get(heading)))
    .join("\n");
}

/** The rows of each section's table. */
export function parsePage(page: string): ReadonlyMap<string, readonly Row[]> {
  const tables = sectionsOf(page).map(({ heading, lines }) => [heading, rowsOf(lines)] as const);
  return new Map(tables.filter(([heading]) => SECTIONS.has(heading)));
}

interface Section {
  readonly heading: string;
  readonly lines: readonly string[];
}

function sectionsOf(page: string): readonly Section[] {
  return page.split(/^(?=## )/m).map((text) => ({
    heading: /^## (.*)$/m.exec(text)?.[1] ?? "",
    lines: text.replace(/\n$/, "").split("\n"),
  }));
}

function renderSection(lines: readonly string[], fields: readonly Field[] | undefined): string {
  if (fields === undefined) return lines.join("\n");
  const texts = new Map(rowsOf(lines).map(({ path, text }) => [path, text]));
  const rows = fields.map(({ path, type, default: value }) =>
    ["", code(path), escaped(type), escaped(value), texts.get(path) ?? "", ""].join(" | ").trim(),
  );
  const start = lines.findIndex(isTableLine);
  const before = start === -1 ? [...lines, ""] : lines.slice(0, start);
  const after = start === -1 ? [] : lines.slice(start).filter((line) => !isTableLine(line));
  return [...before, ...HEAD, ...rows, ...after].join("\n");
}

/** A section has one table. */
function isTableLine(line: string): boolean {
  return line.startsWith("|");
}

function rowsOf(lines: readonly string[]): readonly Row[] {
  return lines
    .filter(isTableLine)
    .slice(HEAD.length)
    .map((line) => {
      const [path = "", type = "", value = "", text = ""] = cellsOf(line);
      return { path: path.replaceAll("`", ""), type: unescaped(type), default: unescaped(value), text };
    });
}

function cellsOf(line: string): readonly string[] {
  return line
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** A vertical bar divides cells, also within code. */
function escaped(text: string): string {
  return text.replaceAll("|", String.raw`\|`);
}

function unescaped(text: string): string {
  return text.replaceAll(String.raw`\|`, "|");
}

function code(text: string): string {
  return `\`${text}\``;
}
