// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import type { CommandContext } from "./context.ts";

/** Commands that are loaded together. */
interface Part {
  readonly names: readonly string[];
  readonly load: (context: CommandContext) => Promise<readonly Command[]>;
}

/** In the order of the help text. */
const PARTS: readonly Part[] = [
  {
    names: ["agent"],
    load: async (context) => [(await import("./agent-command.ts")).createAgentCommand(context)],
  },
  {
    names: ["lab"],
    load: async (context) => [(await import("./lab-command.ts")).createLabCommand(context)],
  },
  {
    names: ["trace"],
    load: async (context) => [(await import("./trace/command.ts")).createTraceCommand(context)],
  },
  {
    names: ["node"],
    load: async (context) => [(await import("./node-command.ts")).createNodeCommand(context)],
  },
  {
    names: ["doctor"],
    load: async (context) => [(await import("./doctor/command.ts")).createDoctorCommand(context)],
  },
  {
    names: ["get", "create", "apply", "replace", "patch", "label", "delete", "validate"],
    load: async (context) => (await import("./resource/commands.ts")).createResourceCommands(context),
  },
  {
    names: ["ipam"],
    load: async (context) => [(await import("./ipam/command.ts")).createIpamCommand(context)],
  },
  {
    names: ["datastore"],
    load: async (context) => [(await import("./datastore/command.ts")).createDatastoreCommand(context)],
  },
  {
    names: ["completion"],
    load: async () => [(await import("./completion/command.ts")).createCompletionCommand()],
  },
];

/** What reads no other command: to load all of them takes as long as most commands take to run. */
const ALONE = ["version", "--version", "-V"];

/** The commands that the arguments may need: the one that they begin with, or all, as for help and for a name that is none. */
export async function commandsFor(
  [first = ""]: readonly string[],
  context: CommandContext,
): Promise<readonly Command[]> {
  if (ALONE.includes(first)) return [];
  const named = PARTS.filter(({ names }) => names.includes(first));
  // Completion is of all the others.
  const parts = named.length === 0 || first === "completion" ? PARTS : named;
  return (await Promise.all(parts.map(({ load }) => load(context)))).flat();
}
