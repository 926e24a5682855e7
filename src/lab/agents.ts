// SPDX-License-Identifier: Apache-2.0
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { DatastoreConfig } from "../datastore/config.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { cidrFamily } from "../net/cidr.ts";
import { type AgentReadiness, readReadiness } from "./agent-client.ts";
import { startDaemon } from "./daemon.ts";
import { LabError } from "./error.ts";
import { etcdConfig } from "./etcd.ts";
import type { HostLayout, Layout } from "./layout.ts";
import { type Occupant, listOccupants, netnsIdAt } from "./occupants.ts";
import { firstHost } from "./resources.ts";
import type { LabTools } from "./tools.ts";
import type { Host, Topology } from "./topology-schema.ts";
import { interfaceAddress, ipv6InterfaceAddress } from "./underlay-plan.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/margay", import.meta.url));
/** From its start until an agent answers: mostly Node's own start, on a slow machine that starts many at once. One that ends is not waited for. */
const START_TIMEOUT_MS = 120_000;
/** From then on until BGP sessions are up. */
const READY_TIMEOUT_MS = 120_000;
const RETRY_MS = 20;
const LOG_TAIL_LINES = 5;

/** A host's processes; absent where they do not run. */
export interface HostProcesses {
  readonly agentPid: number | undefined;
  readonly birdPid: number | undefined;
}

/** What runs on each of the hosts now, by the kernel's list of processes. */
export function inspectHosts(layout: Layout, hosts: readonly string[]): ReadonlyMap<string, HostProcesses> {
  const ids = new Map(hosts.map((host) => [host, netnsIdAt(layout.namespacePath(host))]));
  const occupants = listOccupants(new Set([...ids.values()].filter((id) => id !== undefined)));
  return new Map(
    hosts.map((host) => {
      const own = occupants.filter(({ netnsId }) => netnsId === ids.get(host));
      return [host, processesAmong(own, layout.host(host).agentConfig)];
    }),
  );
}

/** Which of a host's occupants are its agent, started with the configuration file, and its BIRD. */
export function processesAmong(own: readonly Occupant[], agentConfig: string): HostProcesses {
  const agents = own.filter(({ args }) => args.includes("agent") && args.includes(agentConfig));
  const agentPids = new Set(agents.map(({ pid }) => pid));
  return {
    // What an agent is about to start is a copy of it, arguments included, until execve(2).
    agentPid: agents.find(({ parentPid }) => !agentPids.has(parentPid))?.pid,
    // Without a control socket it is one that reads a new configuration for its faults, and ends.
    birdPid: own.find(({ command, args }) => command === "bird" && args.includes("-s"))?.pid,
  };
}

/** Starts the host's agent unless it runs, and waits until it answers on its socket. */
export async function ensureAgent(
  tools: LabTools,
  layout: Layout,
  topology: Topology,
  host: Host,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await writeConfigs(layout, topology, host);
  const running = inspectHosts(layout, [host.name]).get(host.name)?.agentPid;
  const pid = running ?? startAgent(layout, host.name);
  await untilAnswering(tools, layout.host(host.name), { host: host.name, pid, signal });
}

/** What of an agent's status shows that it has heard of a change. */
type WantedModes = Pick<Topology, "routeSource" | "pools">;

/** Waits until the agent has all that the lab wants of it, with routes from the wanted source and pools in the wanted modes. */
export async function untilReady(
  { clock }: LabTools,
  layout: Layout,
  host: string,
  { wanted, signal }: { readonly wanted: WantedModes; readonly signal: AbortSignal },
): Promise<void> {
  const { agentSocket, agentLog } = layout.host(host);
  const deadline = clock.now() + READY_TIMEOUT_MS;
  for (;;) {
    const waitMs = Math.max(0, deadline - clock.now());
    const amiss = amissOf(await ask(host, agentLog, agentSocket, { waitMs, signal }), wanted);
    if (amiss.length === 0) return;
    if (clock.now() >= deadline) {
      const why = amiss.join("; ");
      throw new LabError("failed", `Cannot get host "${host}" ready: ${why}; its log is "${agentLog}"`);
    }
    // It was settled with what it had before: the change is still on its way.
    await clock.sleep(RETRY_MS, { signal });
  }
}

function amissOf(status: AgentReadiness, { routeSource, pools }: WantedModes): readonly string[] {
  // BIRD runs exactly where it is the source.
  const isSwitched =
    status.routeSource === routeSource && (status.bird !== null) === (routeSource === "bird");
  return [
    ...status.reasons,
    ...status.degraded,
    ...(isSwitched ? [] : [`its routes do not come from ${routeSource} alone`]),
    ...pools
      .filter((pool) => !knowsModes(status, pool))
      .map(({ metadata }) => `it has not heard of the encapsulation of pool "${metadata.name}"`),
  ];
}

function knowsModes(status: AgentReadiness, { metadata, spec }: IPPool): boolean {
  const { ipipMode, vxlanMode } = status.pools.find(({ name }) => name === metadata.name) ?? {};
  return ipipMode === spec.ipipMode && vxlanMode === spec.vxlanMode;
}

async function ask(
  host: string,
  agentLog: string,
  socket: string,
  options: { readonly waitMs: number; readonly signal: AbortSignal },
): Promise<AgentReadiness> {
  try {
    return await readReadiness(socket, options);
  } catch (cause) {
    options.signal.throwIfAborted();
    throw await agentEnded(host, agentLog, cause);
  }
}

async function writeConfigs(layout: Layout, topology: Topology, host: Host): Promise<void> {
  const paths = layout.host(host.name);
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  await writeJson(paths.agentConfig, agentConfig(layout, topology, host));
  await writeJson(paths.cniConfig, {
    cniVersion: "1.0.0",
    name: "margay",
    type: "margay-cni",
    agentSocket: paths.agentSocket,
    ...(hasIpv6Pool(topology) && { ipam: { type: "calico-ipam", assign_ipv6: "true" } }),
  });
}

/** Whether containers are to have an IPv6 address too. */
function hasIpv6Pool({ pools }: Topology): boolean {
  return pools.some(({ spec }) => cidrFamily(spec.cidr) === 6 && spec.allowedUses.includes("Workload"));
}

function agentConfig(layout: Layout, topology: Topology, host: Host): object {
  const { name, address } = host;
  const { directory, agentSocket } = layout.host(name);
  const { segments } = topology.underlay;
  const ipv6Address = ipv6InterfaceAddress(segments, host);
  return {
    nodeName: name,
    address: interfaceAddress(segments, address),
    ...(ipv6Address !== undefined && { ipv6Address }),
    stateDirectory: directory,
    socket: agentSocket,
    secretsDirectory: layout.secrets,
    // A person who deletes a node there, or a container, wants to see what comes of it.
    garbageCollection: { graceSeconds: 5, idleBlockSeconds: 1 },
    datastore: datastoreConfig(layout, topology, name),
  };
}

function datastoreConfig(layout: Layout, topology: Topology, host: string): DatastoreConfig {
  if (topology.etcd.length > 0) return etcdConfig(topology);
  const first = firstHost(topology);
  return host === first
    ? { kind: "embedded", path: layout.host(first).store }
    : { kind: "socket", path: layout.host(first).agentSocket };
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}

function startAgent(layout: Layout, host: string): number {
  const { agentConfig: config, agentLog: logFile } = layout.host(host);
  return startDaemon(layout, {
    what: `agent of host "${host}"`,
    node: host,
    command: PROGRAM,
    args: ["agent", "--config", config],
    logFile,
  });
}

interface Starting {
  readonly host: string;
  readonly pid: number;
  readonly signal: AbortSignal;
}

async function untilAnswering(
  { clock }: LabTools,
  { agentSocket, agentLog }: HostLayout,
  { host, pid, signal }: Starting,
): Promise<void> {
  const deadline = clock.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      const { started } = await readReadiness(agentSocket, { waitMs: 0, signal });
      if (started) return;
    } catch (cause) {
      signal.throwIfAborted();
      if (netnsIdAt(`/proc/${pid}/ns/net`) === undefined) throw await agentEnded(host, agentLog, cause);
      if (clock.now() > deadline) throw late(host, agentLog, "no answer", cause);
    }
    // It answers, and reads the datastore still: it would refuse containers.
    if (clock.now() > deadline) throw late(host, agentLog, "it is not through with starting", undefined);
    await clock.sleep(RETRY_MS, { signal });
  }
}

function late(host: string, agentLog: string, state: string, cause: unknown): LabError {
  const message = `Cannot use agent of host "${host}": ${state} after ${START_TIMEOUT_MS} ms; its log is "${agentLog}"`;
  return new LabError("failed", message, { cause });
}

async function agentEnded(host: string, agentLog: string, cause: unknown): Promise<LabError> {
  const log = await readFile(agentLog, "utf8").catch(() => "");
  const tail = log.trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
  return new LabError(
    "failed",
    `Cannot use agent of host "${host}": it does not answer; it last said:\n${tail}`,
    { cause },
  );
}
