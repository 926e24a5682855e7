// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, existsSync } from "node:fs";
import { release } from "node:os";
import { Command, Option } from "commander";
import { systemProcesses } from "../../system/process.ts";
import type { CommandContext } from "../context.ts";
import { print } from "../print.ts";
import { FEATURES, type Feature, type SystemTools, checkSystem, renderSystemReport } from "./system-check.ts";
import { SYSTEM_CHECKS } from "./system-checks.ts";

/** The machine that this runs on. */
export const systemTools: SystemTools = {
  processes: systemProcesses,
  kernelRelease: release(),
  userId: process.getuid?.() ?? -1,
  exists: existsSync,
  isWritable,
  async detectAddress(wait) {
    // Of the commands, this one alone needs the kernel's interface.
    const { detectHere } = await import("../../agent/address/detect-here.ts");
    return await detectHere({ kind: "first-found" }, wait);
  },
};

/** Asks the machine alone; no agent is needed. */
export function createCheckSystemCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("checksystem")
    .description("see whether this machine has what a node needs; fails if it lacks something")
    .addOption(
      new Option("--for <feature...>", "what the node is wanted for").choices(FEATURES).default(["bgp"]),
    );
  return command.action(async ({ for: features }: { readonly for: readonly Feature[] }) => {
    const report = await checkSystem(SYSTEM_CHECKS, features, systemTools, { signal });
    print(command.optsWithGlobals<{ json?: boolean }>(), report, renderSystemReport);
    if (!report.ok) exitWith(1);
  });
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
