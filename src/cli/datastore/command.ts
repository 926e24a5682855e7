// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { createExportCommand } from "./export-command.ts";
import { createImportCommand } from "./import-command.ts";

/** Commands for the datastore as a whole. */
export function createDatastoreCommand(context: CommandContext): Command {
  return new Command("datastore")
    .description("move all that a datastore holds to another one")
    .addCommand(createExportCommand(context))
    .addCommand(createImportCommand(context));
}
