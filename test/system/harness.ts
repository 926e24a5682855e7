// SPDX-License-Identifier: Apache-2.0
// Labs for tests, under names of their own: brought up, looked at and taken down by what the command that users run calls.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type IncomingMessage, get } from "node:http";
import { text as readText } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { connectStore } from "../../src/datastore/client.ts";
import { type ContainerStatus, type HostStatus, type LabStatus, openLab } from "../../src/lab/lab.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemProcesses } from "../../src/system/process.ts";
import { PATIENCE_MS } from "./patience.ts";

export const MARGAY = fileURLToPath(new URL("../../bin/margay", import.meta.url));
/** The plugin from the sources. */
export const MARGAY_CNI = fileURLToPath(new URL("../../bin/margay-cni", import.meta.url));
/** Makes the plugin's executable. */
export const BUILD = fileURLToPath(new URL("../../scripts/build", import.meta.url));
export const PLUGIN_EXECUTABLE = fileURLToPath(
  new URL(`../../dist/margay-cni-${process.arch}`, import.meta.url),
);

/** What a command did; a non-zero exit code is a result, not an error. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end. */
export async function execute(
  command: string,
  args: readonly string[],
  { stdin = "", env }: RunOptions = {},
): Promise<Outcome> {
  const child = spawn(command, args, {
    stdio: "pipe",
    timeout: PATIENCE_MS,
    killSignal: "SIGKILL",
    ...(env && { env: { ...process.env, ...env } }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that ends without reading its input is judged by how it ends.
  child.stdin.on("error", () => undefined).end(stdin);
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, stdout, stderr };
}

/** As {@link execute}, for what has to succeed; gives standard output. */
export async function succeed(
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args, options);
  assert.equal(code, 0, `${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** What of an agent's `GET /status` tests look at. */
export interface AgentStatus {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly degraded: readonly string[];
  readonly unroutable: readonly { readonly dst: string; readonly reason: string }[];
  readonly routeSource: string;
  readonly dataplane: {
    readonly wanted: Readonly<Record<string, number>>;
    readonly faults: readonly unknown[];
  };
  readonly mtu: { readonly containers: number | null };
  readonly tunnels: readonly { readonly kind: string; readonly address: string; readonly mtu?: number }[];
  readonly memory: { readonly rss: number; readonly heapUsed: number };
}

/** A running lab; disposing it takes it down. */
export interface Lab extends AsyncDisposable {
  readonly name: string;
  /** `margay lab …` for this lab, which has to succeed. */
  margay(...args: readonly string[]): Promise<string>;
  status(): Promise<LabStatus>;
  host(name: string): Promise<HostStatus>;
  container(name: string): Promise<ContainerStatus>;
  /** The container's address, without its length. */
  address(container: string): Promise<string>;
  /** Runs a command on a host or in a container; it has to succeed. */
  exec(node: string, ...command: readonly string[]): Promise<string>;
  /** Starts a command on a host or in a container. */
  start(node: string, ...command: readonly string[]): ChildProcess;
  agentSocket(host: string): string;
  /** Starts agents that do not run, and waits until all are ready. */
  repair(): Promise<void>;
}

let count = 0;
/** Whoever has no patience any more ends the process. */
const never = new AbortController().signal;

export interface LabOptions {
  readonly routeSource?: "bird" | "datastore";
  readonly topology?: string;
}

export async function createLab({ routeSource = "bird", topology }: LabOptions = {}): Promise<Lab> {
  const name = `t${process.pid}x${++count}`;
  const margay = (command: string, ...args: readonly string[]): Promise<string> =>
    succeed(MARGAY, ["lab", command, "--name", name, ...args]);
  // Without a process for each, which would take most of the time; the command itself has tests of its own.
  const lab = openLab({ processes: systemProcesses, clock: systemClock, progress: () => undefined }, name);
  const up = async (): Promise<void> => {
    await lab.up({ routeSource, topologyFile: topology, signal: never });
  };
  await up();
  const netnsOf = (node: string): string => `margay-${name}-${node}`;
  const status = (): Promise<LabStatus> => lab.status();
  const container = async (wanted: string): Promise<ContainerStatus> => {
    const { containers } = await status();
    return containers.find((candidate) => candidate.name === wanted) ?? assert.fail(`no container ${wanted}`);
  };
  return {
    name,
    margay,
    status,
    container,
    async host(wanted) {
      const { hosts } = await status();
      return hosts.find((candidate) => candidate.name === wanted) ?? assert.fail(`no host ${wanted}`);
    },
    async address(wanted) {
      const { addresses } = await container(wanted);
      return addresses[0] ?? assert.fail(`${wanted} has no address`);
    },
    exec: (node, ...command) => succeed("ip", ["netns", "exec", netnsOf(node), ...command]),
    start: (node, ...command) =>
      spawn("ip", ["netns", "exec", netnsOf(node), ...command], { stdio: ["ignore", "pipe", "pipe"] }),
    agentSocket: (host) => `/run/margay/lab/${name}/${host}/agent.sock`,
    repair: up,
    async [Symbol.asyncDispose]() {
      await lab.down({ signal: never });
    },
  };
}

/** `GET /status` of an agent, with its memory as it is without garbage. */
export async function agentStatus(lab: Lab, host: string): Promise<AgentStatus> {
  const request = get({
    socketPath: lab.agentSocket(host),
    path: "/status?collect=garbage",
    timeout: PATIENCE_MS,
    agent: false,
  });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return JSON.parse(await readText(response)) as AgentStatus;
}

/** `margay node …` for a host. */
export function node(lab: Lab, host: string, ...args: readonly string[]): Promise<Outcome> {
  return execute(MARGAY, ["node", ...args, "--socket", lab.agentSocket(host)]);
}

/** What is stored under a prefix, without revisions, as the agent of host1 serves it. */
export async function readStore(lab: Lab, prefix = "/calico/"): Promise<ReadonlyMap<string, string>> {
  await using store = connectStore({ socketPath: lab.agentSocket("host1") });
  const { entries } = await store.list(prefix);
  return new Map(entries.map(({ key, value }) => [key, value]));
}

/**
 * Runs what does damage on a host that an agent repairs. `ip … flush` looks until nothing is left, and gives up where the agent is faster than
 * that every time.
 */
export async function damage(lab: Lab, host: string, command: readonly string[]): Promise<void> {
  try {
    await lab.exec(host, ...command);
  } catch (error) {
    if (!/\*\*\* Flush (not complete|remains incomplete)/.test(String(error))) throw error;
  }
}

/** Ends an agent, and waits until it is gone. */
export async function killAgent(lab: Lab, host: string, by: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const { agent } = await lab.host(host);
  process.kill(agent?.pid ?? assert.fail(`no agent on ${host}`), by);
  await eventually(async () => (await lab.host(host)).agent === null, `the end of ${host}'s agent`);
}

/** Ends an agent and its BIRD, and neither may say goodbye. */
export async function killHost(lab: Lab, host: string): Promise<void> {
  const { bird } = await lab.host(host);
  await killAgent(lab, host);
  process.kill(bird?.pid ?? assert.fail(`no BIRD on ${host}`), "SIGKILL");
  await eventually(async () => (await lab.host(host)).bird === null, `the end of ${host}'s BIRD`);
}

/** What makes `ping` send 100 packets a second, and say of each what came of it. */
export const FAST_PING = ["ping", "-n", "-i", "0.01", "-W", "2"] as const;

/** Pings at 100 packets a second while `during` runs, and for some packets before and after; gives how many were lost. */
export async function lossDuring(
  lab: Lab,
  from: string,
  to: string,
  during: () => Promise<void>,
): Promise<{ sent: number; lost: number }> {
  return await lossOf(lab.start(from, ...FAST_PING, to), during);
}

/** How many answers there have to be before, and once more afterwards: what it takes to see that packets flow. */
const ANSWERS = 50;

/** As {@link lossDuring}, of a ping that has been started. What was still under way at the end is not counted as lost. */
export async function lossOf(
  ping: ChildProcess,
  during: () => Promise<void>,
): Promise<{ sent: number; lost: number }> {
  let output = "";
  ping.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = once(ping, "close");
  const answers = (): readonly number[] =>
    Array.from(output.matchAll(/bytes from .* icmp_seq=(\d+)/g), ([, seq]) => Number(seq));
  // Not for a time: a ping that is kept from running sends nothing meanwhile.
  const more = async (): Promise<void> => {
    const wanted = answers().length + ANSWERS;
    await eventually(() => Promise.resolve(answers().length >= wanted), `${ANSWERS} more answers`);
  };
  try {
    await more();
    await during();
    await more();
  } finally {
    ping.kill("SIGINT");
  }
  await ended;
  const answered = new Set(answers());
  const sent = Math.max(0, ...answered);
  return { sent, lost: sent - answered.size };
}

/** Time for packets to flow, where time itself is what the test is about. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again and again until `isSo`. */
export async function eventually(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, `in vain: ${what}`);
    await pause(50);
  }
}

/** What is read twice in a row: what was done before may have an effect still. */
export async function settled(read: () => Promise<string>): Promise<string> {
  let value = await read();
  const isSame = async (): Promise<boolean> => {
    const before = value;
    value = await read();
    return value === before;
  };
  await eventually(isSame, "the same twice in a row");
  return value;
}

/** Reads again and again until the value is `wanted`; shows the difference where it never is. */
export async function eventuallyEqual(read: () => Promise<string>, wanted: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let value = await read();
  while (value !== wanted && Date.now() < deadline) {
    await pause(50);
    value = await read();
  }
  assert.equal(value, wanted);
}

/** One call of the CNI plugin as a runtime makes it; of the one from the sources, unless another program is named. */
export async function callCni(
  config: object,
  env: Readonly<Record<string, string>>,
  program = MARGAY_CNI,
): Promise<Outcome> {
  return execute(program, [], {
    stdin: JSON.stringify(config),
    env: { CNI_PATH: "/opt/cni/bin", ...env },
  });
}
