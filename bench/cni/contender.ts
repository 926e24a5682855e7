// SPDX-License-Identifier: Apache-2.0
// The plugins that are compared, each on a machine of its own, and calls of them as a runtime makes them.
import { join } from "node:path";
import { type Netns, openNetns } from "../../src/dataplane/netlink/netns.ts";
import type { Layout } from "../../src/lab/layout.ts";
import { createNamespaces } from "../../src/lab/namespaces.ts";
import { systemProcesses } from "../../src/system/process.ts";

export const COMMANDS = ["ADD", "DEL"] as const;
export type Command = (typeof COMMANDS)[number];

export const CONTENDER_NAMES = [
  "Margay, embedded store",
  "Margay, etcd",
  "ptp with host-local",
  "bridge with host-local",
] as const;
export type ContenderName = (typeof CONTENDER_NAMES)[number];
/** What the others are held against. */
export const REFERENCE: ContenderName = "ptp with host-local";

/** A plugin, where it runs, and containers without interfaces to attach; disposing it lets go of the namespace that it runs in. */
export interface Contender extends Disposable {
  readonly name: ContenderName;
  /** Network namespaces, by their names. */
  readonly containers: readonly string[];
  /** Processes of the plugin, one for each of the containers, started at one moment; throws where one fails. */
  readonly call: (command: Command, containers: readonly string[], options: Waiting) => Promise<Calls>;
}

/** How long processes took, in milliseconds from the moment of their start. */
export interface Calls {
  /** Of each container, in their order. */
  readonly callsMs: readonly number[];
  /** To the end of the last. */
  readonly wholeMs: number;
}

interface Waiting {
  readonly signal: AbortSignal;
}

/** How a contender is made. */
export interface Entry {
  readonly name: ContenderName;
  readonly layout: Layout;
  /** The machine of the lab that it runs on. */
  readonly machine: string;
  readonly program: string;
  readonly config: object;
}

const REFERENCE_PLUGINS = "/usr/lib/cni";
const MARGAY = join(import.meta.dirname, `../../dist/margay-cni-${process.arch}`);
const VERSION = "1.0.0";

/** All that are compared: what is not Margay runs beside the node with the embedded store. */
export function entriesOf(embedded: Layout, etcd: Layout): readonly Entry[] {
  return [
    margay("Margay, embedded store", embedded),
    margay("Margay, etcd", etcd),
    reference("ptp with host-local", embedded, "ptp", {}),
    reference("bridge with host-local", embedded, "bridge", { isGateway: true }),
  ];
}

function margay(name: ContenderName, layout: Layout): Entry {
  const { agentSocket } = layout.host("host1");
  const config = { cniVersion: VERSION, name: "bench", type: "margay-cni", agentSocket };
  return { name, layout, machine: "host1", program: MARGAY, config };
}

function reference(name: ContenderName, layout: Layout, type: "ptp" | "bridge", own: object): Entry {
  const ipam = {
    type: "host-local",
    // The lab's directory is on the disk that the stores are on.
    dataDir: join(layout.directory, "host-local"),
    ranges: [[{ subnet: "10.2.0.0/16" }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  const config = { cniVersion: VERSION, name: type, type, ipam, ...own };
  return { name, layout, machine: type, program: join(REFERENCE_PLUGINS, type), config };
}

/** Makes the contender's containers, so many; they go with the lab. `starter` is the program that `starter.c` becomes. */
export async function createContender(entry: Entry, count: number, starter: string): Promise<Contender> {
  const { name, layout, machine } = entry;
  const containers = Array.from({ length: count }, (_, index) => layout.namespace(`${machine}c${index + 1}`));
  await createNamespaces(systemProcesses, layout, containers);
  const netns = openNetns(layout.namespacePath(machine));
  return {
    name,
    containers,
    call: (command, some, options) => call({ ...entry, netns, starter }, command, some, options),
    [Symbol.dispose]() {
      netns[Symbol.dispose]();
    },
  };
}

async function call(
  { program, config, netns, starter }: Entry & { readonly netns: Netns; readonly starter: string },
  command: Command,
  containers: readonly string[],
  { signal }: Waiting,
): Promise<Calls> {
  const env = { CNI_COMMAND: command, CNI_IFNAME: "eth0", CNI_PATH: REFERENCE_PLUGINS };
  const options = { input: JSON.stringify(config), env, signal };
  // The process is there when `run` returns; only its end is still to come.
  const { ended } = netns.run(() => ({
    ended: systemProcesses.run(starter, [program, ...containers], options),
  }));
  const { stdout, stderr } = await ended;
  const lines = stdout.trim().split("\n");
  const calls = lines.slice(0, -1).map((line) => line.split(" ").map(Number));
  if (calls.length !== containers.length || calls.some(([, status]) => status !== 0))
    throw new Error(`Cannot ${command} "${containers.join('", "')}" by "${program}": ${stdout}${stderr}`);
  return { callsMs: calls.map(([ms = NaN]) => ms), wholeMs: Number(lines.at(-1)) };
}
