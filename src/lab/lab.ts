// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Ipv6 } from "../net/ipv6.ts";
import { inspectHosts } from "./agents.ts";
import { type CheckOptions, type CheckReport, checkLab } from "./check.ts";
import { attach, detach } from "./containers.ts";
import { removeLab } from "./down.ts";
import { LabError } from "./error.ts";
import { memberPid } from "./etcd.ts";
import { type Layout, createLayout } from "./layout.ts";
import { lockLab } from "./lock.ts";
import { listNamespaces } from "./namespaces.ts";
import { type AttachedContainer, type LabState, readState, requireState, writeState } from "./state.ts";
import type { LabTools } from "./tools.ts";
import { containerNameField } from "./topology-schema.ts";
import { machinesOf } from "./topology.ts";
import { type UpOptions, bringUp } from "./up.ts";

/** What `lab status --json` prints. */
export interface LabStatus {
  readonly hosts: readonly HostStatus[];
  readonly etcd: readonly EtcdStatus[];
  /** Routers, and machines outside the cluster. */
  readonly machines: readonly MachineStatus[];
  readonly containers: readonly ContainerStatus[];
}

export interface HostStatus {
  readonly name: string;
  readonly address: Ipv4;
  /** Null where it has none. */
  readonly ipv6Address: Ipv6 | null;
  /** The name of its network namespace. */
  readonly netns: string;
  /** Null where it does not run. */
  readonly agent: { readonly pid: number } | null;
  readonly bird: { readonly pid: number } | null;
}

/** A member of the etcd cluster that is the datastore. */
export interface EtcdStatus {
  readonly name: string;
  readonly address: Ipv4;
  readonly netns: string;
  /** Null where it does not run. */
  readonly process: { readonly pid: number } | null;
}

export interface MachineStatus {
  readonly name: string;
  readonly addresses: readonly Ip[];
  readonly netns: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly host: string;
  readonly netns: string;
  /** The host's end of the container's link. */
  readonly interface: string;
  readonly addresses: readonly Ip[];
}

interface Waiting {
  readonly signal: AbortSignal;
}

/** A network of hosts in network namespaces. Every method may throw {@link LabError}. */
export interface Lab {
  readonly name: string;
  /** Makes the lab, or completes one that is up; returns its identity. */
  up(options: UpOptions): Promise<string>;
  /** Removes every trace; tells whether there was any. With an identity, only the lab that has it. */
  down(options: Waiting & { readonly id?: string }): Promise<boolean>;
  status(): Promise<LabStatus>;
  check(options: CheckOptions): Promise<CheckReport>;
  add(name: string, host: string, options: Waiting): Promise<ContainerStatus>;
  remove(name: string, options: Waiting): Promise<void>;
}

export function openLab(tools: LabTools, name: string): Lab {
  const layout = createLayout(name);
  const lock = ({ signal }: Waiting): Promise<AsyncDisposable> =>
    lockLab(layout, {
      signal,
      onWait: () => {
        tools.progress(`waiting for another command that changes lab "${name}"`);
      },
    });
  return {
    name,
    async up(options) {
      await using _lock = await lock(options);
      return (await bringUp(tools, layout, options)).id;
    },
    async down({ id, signal }) {
      await using _lock = await lock({ signal });
      if (!(await hasTraces(layout)) || !(await isSame(layout, id))) return false;
      tools.progress(`removing lab "${name}"`);
      await removeLab(tools, layout);
      return true;
    },
    async status() {
      return describe(layout, await requireState(layout));
    },
    async check(options) {
      return await checkLab(tools, layout, await requireState(layout), options);
    },
    async add(container, host, options) {
      await using _lock = await lock(options);
      return await addContainer(tools, layout, { name: container, host }, options);
    },
    async remove(container, options) {
      await using _lock = await lock(options);
      const state = await requireState(layout);
      const found = requireContainer(layout, state, container);
      await detach(tools, layout, found, options);
      await writeState(layout, { ...state, containers: state.containers.filter((other) => other !== found) });
    },
  };
}

/** The network namespace's name of a host or container; throws {@link LabError} where there is neither. */
export function namespaceOf({ hosts, etcd, machines, containers }: LabStatus, name: string): string {
  const nodes = [...hosts, ...etcd, ...machines, ...containers];
  const found = nodes.find((node) => node.name === name);
  if (found !== undefined) return found.netns;
  const names = nodes.map((node) => node.name).join(", ");
  throw new LabError("absent", `Cannot find "${name}": the lab has ${names}`);
}

async function addContainer(
  tools: LabTools,
  layout: Layout,
  container: { readonly name: string; readonly host: string },
  options: Waiting,
): Promise<ContainerStatus> {
  const state = await requireState(layout);
  requireFreeName(layout, state, container.name);
  if (!state.topology.hosts.some(({ name }) => name === container.host))
    throw new LabError(
      "absent",
      `Cannot add "${container.name}": lab "${layout.name}" has no host "${container.host}"`,
    );
  const attached = await attach(tools, layout, container, options);
  await writeState(layout, { ...state, containers: [...state.containers, attached] });
  return containerStatus(layout, attached);
}

function requireFreeName(layout: Layout, { topology, containers }: LabState, name: string): void {
  const parsed = containerNameField.safeParse(name);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ message }) => message).join("; ");
    throw new LabError("invalid", `Cannot add container "${name}": ${faults}`);
  }
  const taken = [
    "underlay",
    ...[...topology.underlay.segments, ...machinesOf(topology), ...containers].map((node) => node.name),
  ];
  if (taken.includes(name))
    throw new LabError(
      "present",
      `Cannot add container "${name}": lab "${layout.name}" has something of that name`,
    );
}

function requireContainer(layout: Layout, { containers }: LabState, name: string): AttachedContainer {
  const found = containers.find((container) => container.name === name);
  if (found !== undefined) return found;
  throw new LabError("absent", `Cannot find container "${name}": lab "${layout.name}" has none of that name`);
}

async function hasTraces(layout: Layout): Promise<boolean> {
  return existsSync(layout.directory) || (await listNamespaces(layout)).length > 0;
}

/** Whether the lab is the one that is meant; a damaged state tells nothing, and is removed with its lab. */
async function isSame(layout: Layout, id: string | undefined): Promise<boolean> {
  if (id === undefined) return true;
  const state = await readState(layout).catch(() => undefined);
  return state === undefined || state.id === id;
}

function describe(layout: Layout, { topology, containers }: LabState): LabStatus {
  const processes = inspectHosts(
    layout,
    topology.hosts.map(({ name }) => name),
  );
  return {
    hosts: topology.hosts.map(({ name, address, ipv6Address = null }) => ({
      name,
      address,
      ipv6Address,
      netns: layout.namespace(name),
      agent: processOf(processes.get(name)?.agentPid),
      bird: processOf(processes.get(name)?.birdPid),
    })),
    etcd: topology.etcd.map(({ name, address }) => ({
      name,
      address,
      netns: layout.namespace(name),
      process: processOf(memberPid(layout, name)),
    })),
    machines: [
      ...topology.underlay.routers.map(({ name, addresses, ipv6Addresses }) => ({
        name,
        addresses: [...addresses, ...ipv6Addresses],
      })),
      ...topology.machines.map(({ name, address }) => ({ name, addresses: [address] })),
    ].map(({ name, addresses }) => ({ name, addresses, netns: layout.namespace(name) })),
    containers: containers.map((container) => containerStatus(layout, container)),
  };
}

function containerStatus(layout: Layout, container: AttachedContainer): ContainerStatus {
  const { name, host, interface: hostEnd, addresses } = container;
  return { name, host, netns: layout.namespace(name), interface: hostEnd, addresses };
}

function processOf(pid: number | undefined): { readonly pid: number } | null {
  return pid === undefined ? null : { pid };
}
