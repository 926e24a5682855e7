// SPDX-License-Identifier: Apache-2.0
// A machine to install things on: this one's file system, with all that is written kept aside. Processes see neither this repository nor what
// runs here, but for network namespaces that are entered before.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Outcome, execute } from "./harness.ts";

const REPOSITORY = dirname(dirname(import.meta.dirname));
/** Mounts the root of the machine whose folder is `$1`, and names it. */
export const MOUNT_ROOT = `
  root=$1/root
  mount -t overlay overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" "$root"`;
/** Arguments: the machine's folder, this repository, the command. */
const ENTER = `${MOUNT_ROOT}
  repository=$2; shift 2
  for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
  mount -t tmpfs tmpfs "$root/run"
  mkdir -p "$root$repository"
  mount -t tmpfs tmpfs "$root$repository"
  exec chroot "$root" "$@"`;
/** As after a login as root; npm is where this machine has it. */
export const PATH = `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;

export interface Machine extends Disposable {
  /** Where its layers are. */
  readonly folder: string;
  /** Runs a command to its end, as root; in another network namespace where one is named. */
  run(command: readonly string[], options?: { readonly netns?: string }): Promise<Outcome>;
  /** Puts a file of this machine there. */
  put(source: string, path: string): void;
  remove(path: string): void;
  /** Every path that was written or made and is still there, but for folders that this machine has as well. */
  written(): readonly string[];
}

export function createMachine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), "margay-machine-"));
  const at = (path: string): string => join(folder, "written", path);
  /** What is removed is a character device there (overlayfs.rst of the kernel's documentation, "whiteouts"). */
  const isNew = (path: string): boolean => {
    const status = lstatSync(at(path));
    return !status.isCharacterDevice() && !(status.isDirectory() && existsSync(join("/", path)));
  };
  // Margay's processes write there all the time, and what a mounted overlay lies on must not change (overlayfs.rst, "Changes to underlying
  // filesystems").
  const hidden = "/var/cache/margay";
  for (const part of ["root", "written", "work"]) mkdirSync(join(folder, part));
  mkdirSync(dirname(at(hidden)), { recursive: true });
  execFileSync("mknod", [at(hidden), "c", "0", "0"]);
  return {
    folder,
    async run(command, { netns } = {}) {
      const enter = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        ENTER,
        "sh",
        folder,
        REPOSITORY,
      ];
      const [program = "", ...args] = [
        ...(netns === undefined ? [] : ["ip", "netns", "exec", netns]),
        ...enter,
        ...command,
      ];
      return await execute(program, args, { env: { PATH } });
    },
    put(source, path) {
      mkdirSync(dirname(at(path)), { recursive: true });
      cpSync(source, at(path), { dereference: true });
    },
    remove(path) {
      rmSync(at(path), { recursive: true });
    },
    written: () => readdirSync(at("/"), { recursive: true, encoding: "utf8" }).filter(isNew).sort(),
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
