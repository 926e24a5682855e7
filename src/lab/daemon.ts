// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { openNetns } from "../dataplane/netlink/netns.ts";
import { LabError } from "./error.ts";
import type { Layout } from "./layout.ts";

export interface Daemon {
  /** For messages, such as `agent of host "host1"`. */
  readonly what: string;
  /** Whose network namespace it runs in. */
  readonly node: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Gets what it says, behind what is there. */
  readonly logFile: string;
}

/** Starts a program in a session of its own: it outlives this process. Gives its process ID. */
export function startDaemon(layout: Layout, { what, node, command, args, logFile }: Daemon): number {
  using netns = openNetns(layout.namespacePath(node));
  const log = openSync(logFile, "a", 0o600);
  try {
    // A child starts in the namespace of the thread that forks it.
    const child = netns.run(() =>
      spawn(command, args, {
        cwd: "/",
        detached: true,
        // Nothing of the caller's, npm's many variables above all.
        env: { PATH: process.env["PATH"] },
        stdio: ["ignore", log, log],
      }),
    );
    child.unref();
    // Without a process there is an error event, which says no more than the lack of a process ID does.
    child.on("error", () => undefined);
    if (child.pid === undefined)
      throw new LabError("failed", `Cannot start ${what}: cannot run "${command}"`);
    return child.pid;
  } finally {
    closeSync(log);
  }
}
