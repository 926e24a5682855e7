// SPDX-License-Identifier: Apache-2.0
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../system/clock.ts";
import type { ProcessRunner } from "../system/process.ts";
import { BirdError } from "./error.ts";
import { hasCode } from "../system/error-code.ts";

/** Where one BIRD keeps what it needs. The directory's name is part of all, so it is short: sockets allow 107 bytes. */
export interface BirdFiles {
  /** What BIRD was last told. */
  readonly config: string;
  /** What it is about to be told. */
  readonly candidate: string;
  readonly socket: string;
  readonly pid: string;
  readonly log: string;
}

export function birdFiles(directory: string): BirdFiles {
  return {
    config: join(directory, "bird.conf"),
    candidate: join(directory, "bird.conf.new"),
    socket: join(directory, "bird.ctl"),
    pid: join(directory, "bird.pid"),
    log: join(directory, "bird.log"),
  };
}

export interface DaemonContext {
  readonly processes: ProcessRunner;
  readonly clock: Clock;
  readonly binary: string;
  readonly files: BirdFiles;
}

/** BIRD's complaint about the candidate file, or `undefined` where it has none. */
export async function checkConfig(
  { processes, binary, files }: DaemonContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, stdout, stderr } = await processes.run(binary, ["-p", "-c", files.candidate], { signal });
  return code === 0 ? undefined : `${stderr}${stdout}`.trim();
}

/**
 * Starts BIRD, which puts itself into the background once its control socket is there, and then belongs to nobody.
 * With `recover` it keeps the routes that an earlier one left in the kernel until its peers were heard (`-R`).
 */
export async function startDaemon(
  { processes, binary, files }: DaemonContext,
  { recover }: { readonly recover: boolean },
  signal: AbortSignal,
): Promise<void> {
  const args = ["-c", files.config, "-s", files.socket, "-P", files.pid, ...(recover ? ["-R"] : [])];
  // BIRD writes local time without its zone.
  const { code, stdout, stderr } = await processes.run(binary, args, { env: { TZ: "UTC" }, signal });
  if (code !== 0)
    throw new BirdError("start", `Cannot start BIRD with "${files.config}": ${`${stderr}${stdout}`.trim()}`);
}

/**
 * The process that the pid file names: `running` only where that process was started on this very control socket. An
 * orderly end removes the file, so `dead` means that BIRD left without saying goodbye to anyone.
 */
export type DaemonProcess =
  { readonly kind: "running"; readonly pid: number } | { readonly kind: "dead" } | { readonly kind: "none" };

export async function findDaemon({ files }: DaemonContext): Promise<DaemonProcess> {
  const text = await readIfThere(files.pid);
  if (text === undefined) return { kind: "none" };
  const pid = Number(text);
  // An empty pid file is that of a BIRD which died on its way into the background.
  if (!Number.isInteger(pid) || pid <= 0) return { kind: "dead" };
  const args = (await readIfThere(`/proc/${pid}/cmdline`))?.split("\0") ?? [];
  return args[args.indexOf("-s") + 1] === files.socket ? { kind: "running", pid } : { kind: "dead" };
}

/**
 * Kills a BIRD that no longer answers, and waits for its end: it holds the BGP port until then. Peers take a
 * kill for a restart and keep its routes. Gives what {@link findDaemon} found first.
 */
export async function clearDaemon(context: DaemonContext, signal: AbortSignal): Promise<DaemonProcess> {
  const found = await findDaemon(context);
  for (let now = found; now.kind === "running"; now = await findDaemon(context)) {
    killIfThere(now.pid);
    // Nobody tells of the end of a process that is not one's child; a killed one is gone in a moment.
    await context.clock.sleep(10, { signal });
  }
  await rm(context.files.pid, { force: true });
  return found;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // The kernel answers ESRCH for a file of /proc whose process ends meanwhile.
    if (hasCode(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}
