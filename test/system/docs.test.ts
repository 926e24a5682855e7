// SPDX-License-Identifier: Apache-2.0
// The commands that the documentation shows, each page on a machine of its own.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type DocumentedCommand, isAsShown, parseDocumentedCommands } from "../documented-commands.ts";
import { openMachineShell } from "./machine-shell.ts";

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

describe("the documentation", () => {
  for (const { name, commands } of pages)
    it(`${name} shows commands that do what it says`, async () => {
      await using shell = await openMachineShell();
      for (const { line, text, code, output: shown } of commands) {
        const { code: found, output } = await shell.run(text);
        const place = `${name}:${line}: ${text}\n`;
        assert.equal(found, code, `${place}${output}\nended with code ${found}, and not ${code}`);
        if (shown !== undefined)
          assert.ok(isAsShown(output, shown), `${place}${output}\nis not what is shown:\n${shown}`);
      }
    });
});
