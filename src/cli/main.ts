// SPDX-License-Identifier: Apache-2.0
import { Command, CommanderError } from "commander";
import { DatastoreError } from "../datastore/store.ts";
import { commandsFor } from "./commands.ts";
import type { CommandContext } from "./context.ts";
import { CommandError, EXIT } from "./exit.ts";
import { describeFailure } from "./failure.ts";
import { stopSignals } from "./signals.ts";
import { readVersion } from "../system/version.ts";

/** Runs one command; the arguments come without the program's name. Resolves to the exit code, one of {@link EXIT} or, of `lab exec`, that of another program. */
export async function runCli(args: readonly string[]): Promise<number> {
  using stop = stopSignals();
  // Whoever read the output may be gone, such as a closed terminal: what was begun is still to be finished and cleaned up.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  let code = 0;
  try {
    const program = await createProgram(args, {
      signal: stop.signal,
      exitWith: (next) => {
        code = next;
      },
    });
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.invalid;
    if (stop.exitCode !== undefined) {
      process.stderr.write("margay: interrupted\n");
      return stop.exitCode;
    }
    const lines = error instanceof CommandError ? error.lines : [describeFailure(error)];
    for (const line of lines) process.stderr.write(`margay: ${line}\n`);
    return exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError) return EXIT[error.exit];
  return error instanceof DatastoreError && error.code === "unavailable" ? EXIT.unreachable : EXIT.failed;
}

async function createProgram(args: readonly string[], context: CommandContext): Promise<Command> {
  const program = new Command("margay")
    .description("A container network for Linux in which every container is a routed host")
    .version(readVersion())
    .configureHelp({ showGlobalOptions: true });
  for (const command of await commandsFor(args, context)) program.addCommand(command);
  program
    .command("version")
    .description("print the version")
    .option("--json", "print JSON")
    .action(({ json }: { json?: boolean }) => {
      const version = readVersion();
      process.stdout.write(`${json === true ? JSON.stringify({ version }) : version}\n`);
    });
  throwOnUsage(program);
  return program;
}

/** Commander would end the process itself; this way whatever is open is closed first. */
function throwOnUsage(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      write(text.replace(/^error: /, "margay: "));
    },
  });
  for (const child of command.commands) throwOnUsage(child);
}
