// SPDX-License-Identifier: Apache-2.0
import { Command, Option } from "commander";
import { AGENT_SOCKET } from "../../system/run-directory.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { print } from "../print.ts";
import { examine, ownPatient } from "./examine.ts";
import { renderReport } from "./render.ts";

interface DoctorOptions {
  readonly socket: string;
  readonly stateDirectory?: string;
  readonly output: "table" | "json";
}

export function createDoctorCommand({ signal, exitWith }: CommandContext): Command {
  return new Command("doctor")
    .description(
      "look this node and its cluster over, and say what to do about what is amiss; fails if there is a fault",
    )
    .option("--socket <path>", "the agent's socket", AGENT_SOCKET)
    .option("--state-directory <directory>", "the agent's; where its socket is unless given")
    .addOption(
      new Option("-o, --output <format>", "how to print it").choices(["table", "json"]).default("table"),
    )
    .action(async ({ socket, stateDirectory, output }: DoctorOptions) => {
      const report = await examine([ownPatient(socket, stateDirectory)], { signal });
      print({ json: output === "json" }, report, renderReport);
      if (!report.ok) exitWith(EXIT.failed);
    });
}
