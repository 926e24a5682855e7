// SPDX-License-Identifier: Apache-2.0
import { rename, rm, writeFile } from "node:fs/promises";
import { Command } from "commander";
import { ROOT } from "../../model/keys.ts";
import type { CommandContext } from "../context.ts";
import { STANDARD_INPUT } from "../resource/files.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import { type ArchivedValue, archiveEntry, isReport } from "./archive.ts";
import { renderArchive } from "./render-archive.ts";

interface ExportOptions extends StoreOptions {
  readonly output: string;
}

export function createExportCommand({ signal }: CommandContext): Command {
  const command = new Command("export")
    .description("write all that the datastore holds to a file that import takes")
    .option("-o, --output <file>", "- for standard output", STANDARD_INPUT);
  return addStoreOptions(command).action(async (options: ExportOptions) => {
    await using store = openCommandStore(options);
    // One listing is of one moment, whatever is written meanwhile.
    const { entries } = await store.list(ROOT, { signal });
    const values = entries.filter(({ key }) => !isReport(key)).map(archiveEntry);
    await write(options.output, renderArchive(values));
    tell(values, entries.length - values.length);
  });
}

/** Notes go where they do not mix with the archive. */
function tell(values: readonly ArchivedValue[], reports: number): void {
  const say = (line: string): void => void process.stderr.write(`margay: ${line}\n`);
  const raw = values.filter(({ part }) => part === "entries");
  for (const { key } of raw) say(`${JSON.stringify(key)} is nothing that is known here; it is kept as text`);
  if (reports > 0) say(`${reports} status reports are left out; those who wrote them will do so again`);
  say(
    `exported ${values.length} values, ${values.filter(({ part }) => part === "resources").length} of them resources`,
  );
}

/** The file is there whole, or not at all. */
async function write(file: string, text: string): Promise<void> {
  if (file === STANDARD_INPUT) {
    process.stdout.write(text);
    return;
  }
  const unfinished = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(unfinished, text, { mode: 0o600, flush: true });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
