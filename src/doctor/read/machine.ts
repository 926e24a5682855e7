// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { isOwnName } from "../../dataplane/link.ts";
import { type ProcessRunner, ProcessError } from "../../system/process.ts";
import { DATA_DIRECTORY } from "../../system/run-directory.ts";
import type { DiskSpace, MachineSeen } from "../observation.ts";
import { readClock } from "./clock.ts";
import { ask } from "./known.ts";

interface Wait {
  readonly signal: AbortSignal;
}

/** What is the machine's, whatever network namespace a node has. */
export async function readMachine(
  { stateDirectory, processes }: { readonly stateDirectory: string; readonly processes: ProcessRunner },
  wait: Wait,
): Promise<MachineSeen> {
  const directories = [stateDirectory, ...(existsSync(DATA_DIRECTORY) ? [DATA_DIRECTORY] : [])];
  const disks = directories.map(async (directory) => ({
    directory,
    space: await ask(() => readDisk(directory), wait),
  }));
  return {
    disks: await Promise.all(disks),
    managed: await ask((signal) => readManaged(processes, { signal }), wait),
    clock: await ask(() => Promise.resolve(readClock()), wait),
  };
}

async function readDisk(directory: string): Promise<DiskSpace> {
  const { bsize, bavail, blocks, ffree, files } = await statfs(directory);
  return { free: bavail * bsize, size: blocks * bsize, freeFiles: ffree, files };
}

/** `nmcli` prints `<device>:<state>`, and colons and backslashes of values after a backslash (nmcli(1), `--terse`). Names of ours have none. */
async function readManaged(processes: ProcessRunner, wait: Wait): Promise<readonly string[]> {
  try {
    const args = ["--terse", "--fields", "DEVICE,STATE", "device"];
    const { code, stdout } = await processes.run("nmcli", args, { ...wait, env: { LC_ALL: "C" } });
    // NetworkManager does not run.
    if (code !== 0) return [];
    return managedIn(stdout);
  } catch (error) {
    if (error instanceof ProcessError && error.code === "unavailable") return [];
    throw error;
  }
}

export function managedIn(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", state = "unmanaged"] = line.split(":");
    return isOwnName(name) && !state.startsWith("unmanaged") ? [name] : [];
  });
}
