// SPDX-License-Identifier: Apache-2.0
// A place on a lab's host in which a container runtime can be installed, so to speak: its network is the host's; its processes, its mounts, and
// the folders in which runtimes keep their state are its own. The kernel ends all of it together with the place, also where a test fails or is
// killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { type CniCall, installRecorder, readCalls } from "./cni-recorder.ts";
import { type Lab, type Outcome, execute, succeed } from "./harness.ts";

export interface RuntimeHost extends AsyncDisposable {
  /** Of the test's own, under one path here and there; gone with the place. */
  readonly directory: string;
  /** Where plugins are: Debian's, and Margay's behind a recorder. */
  readonly plugins: string;
  /** What Margay's plugin was called with so far, oldest first. */
  calls(): Promise<readonly CniCall[]>;
  /** Runs a command there to its end. */
  execute(...command: readonly string[]): Promise<Outcome>;
  /** As {@link execute}, for what has to succeed; gives standard output. */
  run(...command: readonly string[]): Promise<string>;
  /** Starts a command there. */
  start(...command: readonly string[]): ChildProcess;
}

/**
 * The first process of the place: it makes the place, says what it is called outside, and lives as long as its standard input.
 * - Mounts made there are seen nowhere else but for those of network namespaces: a runtime mounts them under /run/netns, and the agent has to
 *   find them there.
 * - /run, /var/lib and /dev/shm are where runtimes keep state, locks and sockets, whatever they are configured to.
 * - Nothing of control groups is shown: groups would be the machine's, and crun refuses a machine with both versions of them.
 * - Bash, and not what /bin/sh is, because it also reaps what others leave to it. Without that, runtimes take their dead for living.
 */
const FIRST_PROCESS = String.raw`
set -eu
# /proc is the machine's still, and so is the number.
read -r pid _ </proc/self/stat
while read -r _ _ _ _ at _; do
  case $at in /run/netns | /run/netns/*) ;; *) mount -n --make-private "$(printf %b "$at")" ;; esac
done <<<"$(cat /proc/self/mountinfo)"
mount -n -t tmpfs tmpfs "$1"
mkdir "$1/netns" "$1/margay"
mount -n --bind /run/netns "$1/netns"
mount -n --bind /run/margay "$1/margay"
mount -n --move "$1" /run
for at in /var/lib /dev/shm /sys/fs/cgroup; do mount -n -t tmpfs tmpfs "$at"; done
mount -n -t proc proc /proc
echo "$pid"
cat
`;

/** Makes the place on a host of the lab, which has to outlive it. */
export async function openRuntimeHost(lab: Lab, host: string): Promise<RuntimeHost> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), `margay-${lab.name}-${host}-`));
  stack.defer(() => rm(directory, { recursive: true }));
  const plugins = await installRecorder(directory);
  // Names of namespaces, unlike mounts elsewhere, outlive the place.
  stack.defer(() => removeNamespaces(directory));
  const pid = await startFirstProcess(stack, (await lab.host(host)).netns, directory);
  const into = ["--target", pid, "--net", "--mount", "--pid", "--"];
  const owned = stack.move();
  return {
    directory,
    plugins,
    calls: () => readCalls(directory),
    execute: (...command) => execute("nsenter", [...into, ...command]),
    run: (...command) => succeed("nsenter", [...into, ...command]),
    start: (...command) => spawn("nsenter", [...into, ...command], { stdio: ["ignore", "pipe", "pipe"] }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Gives the number of the process. */
async function startFirstProcess(
  stack: AsyncDisposableStack,
  netns: string,
  directory: string,
): Promise<string> {
  const stash = join(directory, "run");
  await mkdir(stash);
  const apart = ["--mount", "--propagation", "unchanged", "--pid", "--fork", "--kill-child"];
  const first = spawn(
    "nsenter",
    [`--net=/run/netns/${netns}`, "unshare", ...apart, "bash", "-c", FIRST_PROCESS, "bash", stash],
    { stdio: "pipe" },
  );
  const ended = once(first, "exit");
  const complaint = readText(first.stderr);
  stack.defer(async () => {
    first.stdin.end();
    await ended;
  });
  const said = once(first.stdout, "data").then(([data]: unknown[]) => String(data).trim());
  const failed = ended.then(async () => {
    throw new Error(`Cannot make a place for a runtime: ${await complaint}`);
  });
  return await Promise.race([said, failed]);
}

async function removeNamespaces(directory: string): Promise<void> {
  const paths = (await readCalls(directory)).map(({ environment }) => environment["CNI_NETNS"] ?? "");
  // Debian's /var/run is a link to /run.
  const made = paths.filter((path) => /^(\/var)?\/run\/netns$/.test(dirname(path)));
  for (const name of new Set(made.map((path) => basename(path)))) await execute("ip", ["netns", "del", name]);
}
