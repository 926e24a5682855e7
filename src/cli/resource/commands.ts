// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { createDeleteCommand } from "./delete-command.ts";
import { createGetCommand } from "./get-command.ts";
import { createLabelCommand } from "./label-command.ts";
import { createPatchCommand } from "./patch-command.ts";
import { createValidateCommand } from "./validate-command.ts";
import { createApplyCommand, createCreateCommand, createReplaceCommand } from "./write-commands.ts";

/** The commands for resources, in the order that help shows them. */
export function createResourceCommands(context: CommandContext): readonly Command[] {
  return [
    createGetCommand(context),
    createCreateCommand(context),
    createApplyCommand(context),
    createReplaceCommand(context),
    createPatchCommand(context),
    createLabelCommand(context),
    createDeleteCommand(context),
    createValidateCommand(),
  ];
}
