// SPDX-License-Identifier: Apache-2.0
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { AGENT_CONFIG } from "../../install/layout.ts";
import { systemClock } from "../../system/clock.ts";
import { systemProcesses } from "../../system/process.ts";
import type { CommandContext } from "../context.ts";
import { print } from "../print.ts";
import { collectDiags } from "./diags.ts";

interface DiagsCommandOptions {
  readonly output?: string;
  readonly stateDirectory?: string;
  readonly config: string;
}

export function createDiagsCommand({ signal }: CommandContext): Command {
  const command = new Command("diags")
    .description("collect what a report of a fault needs in one file, without passwords and keys")
    .option("-o, --output <file>", "a .tar.gz; margay-diags-<host>-<time>.tar.gz here unless given")
    .option("--state-directory <directory>", "the agent's; where its socket is unless given")
    .option("--config <file>", "the agent's configuration", AGENT_CONFIG);
  return command.action(async ({ output, stateDirectory, config }: DiagsCommandOptions) => {
    const options = command.optsWithGlobals<{ socket: string; json?: boolean }>();
    const file = resolve(output ?? defaultName());
    const where = {
      socket: options.socket,
      stateDirectory: stateDirectory ?? dirname(options.socket),
      config,
      output: file,
    };
    await collectDiags(where, { processes: systemProcesses, signal });
    print(options, { file }, () => file);
  });
}

function defaultName(): string {
  const time = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  return `margay-diags-${hostname()}-${time}Z.tar.gz`;
}
