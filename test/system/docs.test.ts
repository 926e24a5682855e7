// SPDX-License-Identifier: Apache-2.0
// The commands that the documentation shows, each page on machines of its own, which systemd has booted.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { type DocumentedCommand, parseDocumentedCommands } from "../documented-commands.ts";
import { isAsShown } from "../shown-output.ts";
import { BUILD, succeed } from "./harness.ts";
import { openMachines } from "./machine-shell.ts";

const REPOSITORY = join(import.meta.dirname, "../..");

interface Page {
  readonly name: string;
  readonly commands: readonly DocumentedCommand[];
}

const pages: readonly Page[] = globSync(["*.md", "docs/*.md"], { cwd: REPOSITORY })
  .sort()
  .map((name) => ({
    name,
    commands: parseDocumentedCommands(readFileSync(join(REPOSITORY, name), "utf8")),
  }))
  .filter(({ commands }) => commands.length > 0);

// Two at a time, for they wait a lot.
describe("the documentation", { concurrency: 2 }, () => {
  before(() => succeed(BUILD, []));

  for (const { name, commands } of pages)
    it(`${name} shows commands that do what it says`, async () => {
      const names = new Set(["host1", ...commands.map(({ machine }) => machine)]);
      await using machines = await openMachines([...names]);
      const known = new Map<string, string>();
      for (const { line, machine, text, code, output: shown } of commands) {
        const shell = machines.shells.get(machine) ?? assert.fail(`no machine "${machine}"`);
        const { code: found, output } = await shell.run(text);
        const place = `${name}:${line}: ${text}\n`;
        assert.equal(found, code, `${place}${output}\nended with code ${found}, and not ${code}`);
        if (shown !== undefined)
          assert.ok(isAsShown(output, shown, known), `${place}${output}\nis not what is shown:\n${shown}`);
      }
    });
});
