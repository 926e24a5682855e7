// SPDX-License-Identifier: Apache-2.0
// The commands that the documentation shows, each page on machines of its own, which systemd has booted.
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { type DocumentedCommand, parseDocumentedCommands, withOutput } from "../documented-commands.ts";
import { type Known, isAsShown } from "../shown-output.ts";
import { BUILD, succeed } from "./harness.ts";
import { openMachines } from "./machine-shell.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

/** `UPDATE_GOLDEN=1` writes what commands print now into the pages, where it is not what they show. */
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

interface Page {
  /** From the repository's root. */
  readonly name: string;
  readonly text: string;
  readonly commands: readonly DocumentedCommand[];
}

const pages: readonly Page[] = globSync(["*.md", "docs/*.md"], { cwd: REPOSITORY })
  .sort()
  .map((name) => {
    const text = readFileSync(join(REPOSITORY, name), "utf8");
    return { name, text, commands: parseDocumentedCommands(text) };
  })
  .filter(({ commands }) => commands.length > 0);

/** Runs a page's commands; gives those that printed something else than it shows, with that. */
async function differencesOf({ name, commands }: Page): Promise<readonly Difference[]> {
  const names = new Set(["host1", ...commands.map(({ machine }) => machine)]);
  await using machines = await openMachines([...names]);
  const known: Known = new Map();
  const differences: Difference[] = [];
  for (const command of commands) {
    const { line, machine, text, code, output: shown } = command;
    const shell = machines.shells.get(machine) ?? assert.fail(`no machine "${machine}"`);
    const { code: found, output } = await shell.run(text);
    const place = `${name}:${line}: ${text}\n${output}\n`;
    assert.equal(found, code, `${place}ended with code ${found}, and not ${code}`);
    if (shown === undefined || isAsShown(output, shown, known)) continue;
    assert.ok(isUpdate, `${place}is not what is shown:\n${shown}`);
    differences.push({ command, output });
  }
  return differences;
}

interface Difference {
  readonly command: DocumentedCommand;
  readonly output: string;
}

// Two at a time, for they wait a lot.
describe("the documentation", { concurrency: 2 }, () => {
  before(() => succeed(BUILD, []));

  for (const page of pages)
    it(`${page.name} shows commands that do what it says`, async () => {
      const differences = await differencesOf(page);
      // From below, so that the lines of those above stay.
      const text = differences.reduceRight(
        (text, { command, output }) => withOutput(text, command, output),
        page.text,
      );
      if (differences.length > 0) writeFileSync(join(REPOSITORY, page.name), text);
    });
});
