// SPDX-License-Identifier: Apache-2.0
import { resolve } from "node:path";
import { Command } from "commander";
import { attachedInterfaces } from "../../install/attached.ts";
import type { InstallTools } from "../../install/install.ts";
import type { Step } from "../../install/plan.ts";
import { type InstallRecord, readRecord } from "../../install/record.ts";
import { disableService, isSystemdRunning, reloadUnits } from "../../install/service.ts";
import { planUninstall, uninstallNode } from "../../install/uninstall.ts";
import { systemProcesses } from "../../system/process.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { renderSteps } from "./install-steps.ts";
import { clearKernel, requireNoAgent } from "./purge.ts";

interface Options {
  readonly root: string;
  readonly force?: boolean;
  readonly purge?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What outlives the agent on purpose, so its operator is told. */
const REMAINS = `What forwards packets goes on until the next boot: BIRD, routes, tunnels. What nodes share stays where it is kept.
"margay node uninstall --purge" takes away what is in the kernel too.`;

export function createUninstallCommand({ signal }: CommandContext): Command {
  const command = new Command("uninstall")
    .description("stop the agent, and take away what install has written; forwarding goes on")
    .option(
      "--root <directory>",
      "the file system of the node, if it is not this machine's",
      (text) => resolve(text),
      "/",
    )
    .option("--force", "also while containers are attached, which then nobody detaches")
    .option(
      "--purge",
      "also stop BIRD, and remove what Margay has in the kernel: nothing is forwarded any more",
    )
    .option("--overwrite", "also remove what was changed since")
    .option("--dry-run", "only say what would be done");
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>();
    const { root, force = false, purge = false, dryRun = false } = options;
    if (purge && root !== "/")
      throw new CommandError("invalid", "Cannot purge another root's kernel: leave out --root");
    const record = await readRecord(root);
    if (record === undefined && !purge)
      throw new CommandError("absent", `Cannot uninstall: nothing is installed in "${root}"`);
    if (root === "/" && !force && !dryRun) await requireNoContainers();
    const isHere = root === "/" && !dryRun && isSystemdRunning();
    const tools: InstallTools = { processes: systemProcesses, signal };
    if (isHere) await disableService(tools);
    const agent = purge && !dryRun ? await requireNoAgent(signal) : undefined;
    const steps = record === undefined ? [] : await takeAway(record, options);
    if (isHere) await reloadUnits(tools);
    const remains = dryRun || purge ? [] : [REMAINS];
    print(options, { steps, dryRun }, () => [...renderSteps(steps, { dryRun }), ...remains].join("\n"));
    if (agent !== undefined) await clearKernel(agent, signal);
  });
}

async function takeAway(record: InstallRecord, options: Options): Promise<readonly Step[]> {
  const { root, overwrite = false, dryRun = false } = options;
  return await (dryRun ? planUninstall : uninstallNode)(record, { root, overwrite });
}

/** Throws {@link CommandError} while this machine has containers: without plugin and agent nobody takes their interfaces away. */
async function requireNoContainers(): Promise<void> {
  const attached = await attachedInterfaces();
  if (attached.length === 0) return;
  const message = `Cannot uninstall: ${attached.length} containers are attached (${attached.slice(0, 3).join(", ")}${attached.length > 3 ? ", …" : ""})`;
  throw new CommandError("conflict", `${message}; remove them first, or use --force`);
}
