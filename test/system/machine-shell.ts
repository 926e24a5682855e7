// SPDX-License-Identifier: Apache-2.0
// A shell on a machine of its own, which is gone with the shell: what it starts, mounts, links and writes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PATIENCE_MS } from "./patience.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
/** Where a node's files go; what is written there stays in the machine. */
const OWN_FOLDERS = ["/etc", "/opt", "/var/lib", REPOSITORY];
/** Nothing that a command prints. */
const END = `end-of-command-${process.pid}`;

export interface MachineShell extends AsyncDisposable {
  /** Runs a command in the shell itself, so that its variables and its folder stay; gives all that it prints. */
  run(command: string): Promise<{ readonly code: number; readonly output: string }>;
}

/** Begins in the repository, with `margay` in the PATH, and without any network. */
export async function openMachineShell(): Promise<MachineShell> {
  const spaces = ["--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const child = spawn("unshare", [...spaces, "bash", "--noprofile", "--norc"], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: REPOSITORY,
    env: { ...process.env, PATH: `${join(REPOSITORY, "bin")}:${process.env["PATH"]}` },
  });
  const ended = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const run: MachineShell["run"] = async (command) => {
    const watchdog = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    child.stdin.write(toInput(command));
    const output: string[] = [];
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      const [, rest, code] = new RegExp(`^(.*)${END} (\\d+)$`).exec(line.value) ?? [];
      if (code === undefined) {
        output.push(line.value);
        continue;
      }
      clearTimeout(watchdog);
      // What does not end its last line stands before the mark.
      return { code: Number(code), output: [...output, ...(rest === "" ? [] : [rest])].join("\n") };
    }
    throw new Error(`the shell ended with:\n${command}\n${output.join("\n")}`);
  };
  const prepared = await run(PREPARATION);
  if (prepared.code !== 0) throw new Error(`no machine: ${prepared.output}`);
  return {
    run,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Its input is the shell's own text, so the command gets none. */
function toInput(command: string): string {
  return `eval "$(cat <<'${END}'\n${command}\n${END}\n)" </dev/null 2>&1; printf '${END} %d\\n' $?\n`;
}

const PREPARATION = [
  "set -e",
  "hostname host1",
  "ip link set lo up",
  "mount -t tmpfs tmpfs /run",
  ...OWN_FOLDERS.map((folder, index) =>
    [
      `mkdir -p /run/own/${index}/upper /run/own/${index}/work`,
      `mount -t overlay overlay -o lowerdir=${folder},upperdir=/run/own/${index}/upper,workdir=/run/own/${index}/work ${folder}`,
    ].join("\n"),
  ),
  `cd ${REPOSITORY}`,
  "set +e",
].join("\n");
