// SPDX-License-Identifier: Apache-2.0
// A shell on a machine of its own, which is gone with the shell: what it starts, mounts, links and writes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type BootedMachine, bootMachine } from "./booted-machine.ts";
import { succeed } from "./harness.ts";
import { PATH, createMachine } from "./machine.ts";
import { PATIENCE_MS } from "./patience.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
/** Nothing that a command prints. */
const END = `end-of-command-${process.pid}`;

export interface MachineShell {
  /** Runs a command in the shell itself, so that its variables and its folder stay; gives all that it prints. */
  run(command: string): Promise<{ readonly code: number; readonly output: string }>;
}

export interface Machines extends AsyncDisposable {
  /** By the machines' names. */
  readonly shells: ReadonlyMap<string, MachineShell>;
}

/**
 * Boots a machine or two, `host1` and `host2`, and opens a shell on each. It begins in the repository, with `margay` in the PATH. A machine has one interface,
 * `eth0` with 192.168.0.101/24 or 192.168.0.102/24, which leads to the other.
 */
export async function openMachines(names: readonly string[]): Promise<Machines> {
  await using stack = new AsyncDisposableStack();
  const machines = new Map<string, BootedMachine>();
  for (const name of names) machines.set(name, stack.use(await bootMachine(stack.use(createMachine()))));
  await cable([...machines.values()]);
  const shells = new Map<string, MachineShell>();
  for (const [index, [name, machine]] of [...machines].entries()) {
    const shell = openShell(machine);
    const { code, output } = await shell.run(preparationOf(name, `192.168.0.${101 + index}/24`));
    assert.equal(code, 0, `no machine: ${output}`);
    shells.set(name, shell);
  }
  const owned = stack.move();
  return { shells, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A machine alone has a cable whose other end is in itself, and leads nowhere. */
async function cable([first, second]: readonly BootedMachine[]): Promise<void> {
  if (first === undefined) return;
  const ends =
    second === undefined
      ? ["eth0", "netns", first.pid, "type", "veth", "peer", "name", "nowhere", "netns", first.pid]
      : ["eth0", "netns", first.pid, "type", "veth", "peer", "name", "eth0", "netns", second.pid];
  await succeed("ip", ["link", "add", ...ends]);
  if (second === undefined) await first.run("ip", "link", "set", "nowhere", "up");
}

function openShell(machine: BootedMachine): MachineShell {
  const path = `${join(REPOSITORY, "bin")}:${PATH}`;
  const child = machine.converse("env", "-i", `PATH=${path}`, "HOME=/root", "bash", "--noprofile", "--norc");
  const ended = once(child, "close");
  child.stderr.resume();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async run(command) {
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
      await ended;
      throw new Error(`the shell ended with:\n${command}\n${output.join("\n")}`);
    },
  };
}

/** Its input is the shell's own text, so the command gets none. */
function toInput(command: string): string {
  return `eval "$(cat <<'${END}'\n${command}\n${END}\n)" </dev/null 2>&1; printf '${END} %d\\n' $?\n`;
}

/** Settings of the machine's own distribution are not for namespaces. */
function preparationOf(name: string, address: string): string {
  return [
    "set -e",
    `hostname ${name}`,
    "for link in lo eth0; do ip link set $link up; done",
    `ip address add ${address} dev eth0`,
    "rm -rf /usr/lib/sysctl.d /etc/sysctl.d /etc/sysctl.conf; mkdir /etc/sysctl.d",
    `cd ${REPOSITORY}`,
    "set +e",
  ].join("\n");
}
