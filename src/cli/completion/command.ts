// SPDX-License-Identifier: Apache-2.0
import { Argument, Command } from "commander";
import { ALL_KINDS } from "../../model/resource.ts";
import { namesOf } from "../resource/kind-names.ts";
import { renderBash } from "./bash.ts";
import { renderFish } from "./fish.ts";
import { completedCommands } from "./tree.ts";
import { renderZsh } from "./zsh.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];
const RENDER = { bash: renderBash, zsh: renderZsh, fish: renderFish } as const;

/** Prints the completion of the program that the command belongs to. */
export function createCompletionCommand(): Command {
  const command = new Command("completion")
    .description("print what a shell needs to complete commands, options, kinds and names")
    .addArgument(new Argument("<shell>", "which").choices(SHELLS));
  return command.action((shell: Shell) => {
    const kinds = ALL_KINDS.flatMap((kind) => namesOf(kind).slice(0, 1));
    process.stdout.write(RENDER[shell](completedCommands(programOf(command)), kinds));
  });
}

function programOf(command: Command): Command {
  return command.parent === null ? command : programOf(command.parent);
}
