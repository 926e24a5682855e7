// SPDX-License-Identifier: Apache-2.0
// A machine that systemd has booted: as machine.ts has it, with processes, a network and control groups of its own, and of this machine's
// services none but the journal. All of it ends with the test, also where that is killed.
import assert from "node:assert/strict";
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { text as readText } from "node:stream/consumers";
import { type Outcome, eventually, execute, succeed } from "./harness.ts";
import { MOUNT_ROOT, type Machine, PATH } from "./machine.ts";

export interface BootedMachine extends AsyncDisposable {
  /** Of its first process, on this machine. */
  readonly pid: string;
  /** Runs a command there to its end, as root. */
  execute(...command: readonly string[]): Promise<Outcome>;
  /** As {@link execute}, for what has to succeed; gives standard output. */
  run(...command: readonly string[]): Promise<string>;
  /** Starts a command there, as a process of this machine: signals to it reach the command. */
  start(...command: readonly string[]): ChildProcess;
  /** Starts a command there that hears what is written to it; it ends with the machine at the latest. */
  converse(...command: readonly string[]): ChildProcessWithoutNullStreams;
}

/**
 * Makes the machine whose folder is `$1`, tells the number of its first process, and becomes systemd.
 * - Of settings it can change those of its network only: the others are this machine's.
 * - Units that this machine has enabled, or that are made of its fstab, are hidden; so is the operator's part of /etc/systemd.
 * - What Node compiles of Margay is kept with this machine's, for that is half the work of a start.
 * - Its console is a file, for systemd writes to it, and hears from it, what a machine's operator is to see.
 */
const BOOT = `${MOUNT_ROOT}
  mount -t proc proc "$root/proc"
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
  mount -o remount,bind,ro "$root/proc/sys"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  mkdir "$root/dev/net"
  for device in null zero full random urandom tty net/tun; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  : >"$root/dev/console"
  units=$root/usr/lib/systemd/system
  for folder in "$root/run" "$root/etc/systemd" "$root/usr/lib/systemd/system-generators" "$units"/*.wants; do
    mount -t tmpfs -o mode=755 tmpfs "$folder"
  done
  mkdir -p /var/cache/margay "$root/var/cache/margay"
  mount --bind /var/cache/margay "$root/var/cache/margay"
  ln -s ../systemd-journald.service "$units/sysinit.target.wants/"
  read -r pid rest </proc/self/stat
  cd "$root"
  pivot_root . mnt
  umount -l /mnt
  echo "$pid"
  exec env -i container=other PATH=${PATH} /lib/systemd/systemd --system --unit=multi-user.target \\
    --log-target=console >/dev/console 2>&1`;

/**
 * Boots the machine whose folder is `$1` by the script `$3`, in a control group `$2` made for it, and ends it with its own input. The group is in
 * the hierarchy of version 2, which may be mounted many times, and somewhere else than usual. What ends the test by a signal to its process group
 * leaves this to its work.
 */
const LIVE = `
  trap '' HUP INT TERM
  mount -t cgroup2 cgroup2 "$1/root"
  group=$1/root/$2
  mkdir "$group"
  (
    echo 0 >"$group/cgroup.procs"
    exec unshare --cgroup --fork --ipc --mount --net --pid --uts --propagation private sh -ec "$3" sh "$1"
  ) &
  exec >/dev/null
  cat
  kill -KILL $(cat "/proc/$!/task/$!/children") || true
  wait
  find "$group" -depth -type d -exec rmdir {} ';'`;

/** Boots a machine, which has to outlive what is given. */
export async function bootMachine({ folder }: Machine): Promise<BootedMachine> {
  const life = spawn(
    "unshare",
    ["--mount", "--propagation", "private", "sh", "-ec", LIVE, "sh", folder, basename(folder), BOOT],
    { stdio: "pipe" },
  );
  const ended = once(life, "exit");
  const complaint = readText(life.stderr);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    life.stdin.end();
    await ended;
  });
  // What makes the machine is alone in having that end open.
  const said = await life.stdout[Symbol.asyncIterator]().next();
  if (said.done === true) {
    await stack.disposeAsync();
    assert.fail(`Cannot boot a machine: ${await complaint}`);
  }
  const pid = String(said.value).trim();
  const enter = ["--target", pid, "--cgroup", "--ipc", "--mount", "--net", "--uts", "--root", "--wd"];
  const within = [...enter, "--pid", "--"];
  const options = { env: { PATH } };
  const machine = {
    pid,
    execute: (...command: readonly string[]) => execute("nsenter", [...within, ...command], options),
    run: (...command: readonly string[]) => succeed("nsenter", [...within, ...command], options),
    start: (...command: readonly string[]) =>
      spawn("nsenter", [...enter, "--", ...command], { stdio: ["ignore", "pipe", "pipe"] }),
    converse: (...command: readonly string[]) => spawn("nsenter", [...within, ...command], options),
  };
  // It is not to be asked before it has made its socket.
  await eventually(
    async () => (await machine.execute("systemctl", "is-system-running", "--wait")).code === 0,
    "boot",
  );
  const owned = stack.move();
  return { ...machine, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
