// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { LabError } from "./error.ts";

/** These are sent to one process; the terminal sends Ctrl-C to the command by itself. */
const FORWARDED = ["SIGTERM", "SIGHUP"] as const;

/**
 * Runs a command in a network namespace with this process's terminal, and returns its exit code; as a shell does, 128 and
 * the signal's number where a signal ended it. `ip netns exec` also shows the command the namespace's own /sys. The caller
 * must outlive Ctrl-C: what that means is the command's decision.
 */
export async function runInNamespace(netns: string, command: readonly string[]): Promise<number> {
  const child = spawn("ip", ["netns", "exec", netns, ...command], { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  for (const name of FORWARDED) process.on(name, forward);
  try {
    await once(child, "exit");
    return child.exitCode ?? 128 + (child.signalCode === null ? 0 : constants.signals[child.signalCode]);
  } catch (cause) {
    throw new LabError("failed", `Cannot run "${command.join(" ")}" in "${netns}": ip cannot be started`, {
      cause,
    });
  } finally {
    for (const name of FORWARDED) process.off(name, forward);
  }
}
