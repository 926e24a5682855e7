// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { InstallTools } from "./install.ts";
import { SERVICE, UNIT_DIRECTORY } from "./layout.ts";

/** Whether systemd runs this machine (sd_booted(3)). */
export function isSystemdRunning(): boolean {
  return existsSync("/run/systemd/system");
}

/** Has systemd read its units anew. */
export async function reloadUnits(tools: InstallTools): Promise<void> {
  await systemctl(["daemon-reload"], tools);
}

/** Stops the agent, and keeps it from being started at boot; BIRD and the kernel go on forwarding. Without the service there is nothing to do. */
export async function disableService(tools: InstallTools, directory = UNIT_DIRECTORY): Promise<void> {
  if (!existsSync(join(directory, SERVICE))) return;
  await systemctl(["disable", "--now", SERVICE], tools);
}

async function systemctl(args: readonly string[], { processes, signal }: InstallTools): Promise<void> {
  const { code, stderr } = await processes.run("systemctl", args, { signal });
  if (code !== 0) throw new Error(`Cannot run "systemctl ${args.join(" ")}": ${stderr.trim()}`);
}
