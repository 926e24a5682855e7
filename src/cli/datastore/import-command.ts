// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { Store } from "../../datastore/store.ts";
import { ROOT } from "../../model/keys.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { readSource, sourceName } from "../resource/files.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import { type ImportPlan, type Step, planImport } from "./import-plan.ts";
import { parseArchive } from "./parse-archive.ts";

interface ImportOptions extends StoreOptions {
  readonly filename: string;
  readonly dryRun?: boolean;
  readonly merge?: boolean;
}

export function createImportCommand({ signal }: CommandContext): Command {
  const command = new Command("import")
    .description(
      "store all that an exported file holds, of Margay or of calicoctl; may be repeated when it was interrupted",
    )
    .requiredOption("-f, --filename <file>", "the file, - for standard input")
    .option("--merge", "into a datastore that holds other things too; what is there stays")
    .option("--dry-run", "say what would be done, and write nothing");
  return addStoreOptions(command).action(async (options: ImportOptions) => {
    const { values, faults, notes } = parseArchive(
      sourceName(options.filename),
      await readSource(options.filename),
    );
    if (faults.length > 0) throw new CommandError("invalid", faults);
    for (const note of notes) process.stderr.write(`margay: ${note}\n`);
    await using store = openCommandStore(options);
    const plan = planImport(values, (await store.list(ROOT, { signal })).entries);
    requirePossible(plan, options);
    for (const step of plan.steps) await carryOut(store, step, options, signal);
  });
}

function requirePossible({ conflicts, foreign }: ImportPlan, { merge = false }: ImportOptions): void {
  if (conflicts.length > 0) throw new CommandError("conflict", conflicts);
  if (foreign.length === 0 || merge) return;
  const example = JSON.stringify(foreign[0]);
  const message = `The datastore is not empty: ${foreign.length} keys in it are not in the file, such as ${example}; --merge adds to them`;
  throw new CommandError("conflict", message);
}

async function carryOut(
  store: Store,
  { what, kind, key, text, expect }: Step,
  { dryRun = false }: ImportOptions,
  signal: AbortSignal,
): Promise<void> {
  const isWrite = kind !== "unchanged";
  if (isWrite && !dryRun) {
    const result = await store.put(key, text, { expect, signal });
    if (result.kind === "conflict")
      throw new CommandError(
        "conflict",
        `${what} was changed by somebody else meanwhile; import again for the rest`,
      );
  }
  process.stdout.write(`${what} ${isWrite && dryRun ? "would be " : ""}${kind}\n`);
}
