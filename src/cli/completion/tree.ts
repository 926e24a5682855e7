// SPDX-License-Identifier: Apache-2.0
import type { Argument, Command, Option } from "commander";

/** What may follow an option. */
export type OptionValue =
  | { readonly kind: "none" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "text" };

export interface CompletedOption {
  /** `-o`, `--output`. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly value: OptionValue;
}

/** A command as far as a shell completes it. */
export interface CompletedCommand {
  /** The words that lead to it, `margay node status`. */
  readonly path: string;
  readonly children: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** Words that its first argument can be. */
  readonly words: readonly string[];
  /** Whether its first argument is a kind of resource, and those after it are names of such. */
  readonly takesKind: boolean;
}

const HELP: CompletedOption = { flags: ["-h", "--help"], description: "show help", value: { kind: "none" } };

/** The command and all below it, parents first. An option of a parent may stand behind the child's name, so children have it too. */
export function completedCommands(
  command: Command,
  prefix = "",
  inherited: readonly CompletedOption[] = [],
): readonly CompletedCommand[] {
  const path = `${prefix}${command.name()}`;
  const own = command.options.filter((option) => !option.hidden).map(completedOption);
  const children = command.commands.filter((child) => child.name() !== "help");
  const [first] = command.registeredArguments;
  const node: CompletedCommand = {
    path,
    children: children.map((child) => ({ name: child.name(), description: child.description() })),
    options: [...own, ...inherited, HELP],
    words: first?.argChoices ?? [],
    takesKind: isKind(first),
  };
  // The version is the program's own.
  const passedOn = prefix === "" ? [] : [...own, ...inherited];
  return [node, ...children.flatMap((child) => completedCommands(child, `${path} `, passedOn))];
}

function isKind(argument: Argument | undefined): boolean {
  return argument?.name() === "kind";
}

function completedOption(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => typeof flag === "string");
  return { flags, description: option.description, value: valueOf(option) };
}

/** Options say by the name of their value that it is a file. */
function valueOf(option: Option): OptionValue {
  if (!option.required && !option.optional) return { kind: "none" };
  if (option.argChoices !== undefined) return { kind: "words", words: option.argChoices };
  return /<(file|path|directory)>/.test(option.flags) ? { kind: "file" } : { kind: "text" };
}
