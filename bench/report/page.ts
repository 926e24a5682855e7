// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from "node:fs";

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);

/** Puts the text in place of what the benchmark wrote the last time, between two lines of docs/benchmarks.md. */
export function writeSection(benchmark: string, text: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [`<!-- npm run bench -- ${benchmark} --write: from here -->`, "<!-- to here -->"];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`Cannot write "${PAGE.pathname}": it has no place for the tables`);
  writeFileSync(PAGE, `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`);
}
