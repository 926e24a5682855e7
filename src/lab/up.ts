// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { ensureAgent, untilReady } from "./agents.ts";
import { attach, attachAnew } from "./containers.ts";
import { removeLab } from "./down.ts";
import { LabError } from "./error.ts";
import { ensureEtcd } from "./etcd.ts";
import { type Layout, UNDERLAY, labCommand } from "./layout.ts";
import { createNamespaces, listNamespaces } from "./namespaces.ts";
import { applyResources, firstHost } from "./resources.ts";
import { ensureSpeakers } from "./speaker.ts";
import {
  type AttachedContainer,
  type LabState,
  createState,
  readState,
  withEncapsulation,
  writeState,
} from "./state.ts";
import type { LabTools } from "./tools.ts";
import { REFERENCE_TOPOLOGY, machinesOf, readTopology } from "./topology.ts";
import type { Container, Encapsulation, RouteSource } from "./topology-schema.ts";
import { ensureUnderlay } from "./underlay.ts";

/** The plugin is a process of its own, and the machine may be small. */
const PARALLEL_ATTACHMENTS = 8;

export interface UpOptions {
  /** @default the lab's own where it is up, else the reference topology */
  readonly topologyFile?: string | undefined;
  /** @default the lab's own where it is up, else what the topology says */
  readonly routeSource?: RouteSource | undefined;
  /** Of every pool. @default the lab's own where it is up, else what the topology says */
  readonly encapsulation?: Encapsulation | undefined;
  /** Refuse a lab that is up, instead of completing it. */
  readonly mustBeNew?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Makes the lab as its topology says, or completes one that is up: what is missing is made, what has died is started, and a new
 * route source or encapsulation is put in force. The caller holds the lab's lock. A lab that could not be made leaves nothing behind.
 */
export async function bringUp(tools: LabTools, layout: Layout, options: UpOptions): Promise<LabState> {
  const current = await readState(layout);
  const wanted = await planState(layout, current, options);
  if (current === undefined) await removeRemains(tools, layout);
  try {
    return await build(tools, layout, wanted, options.signal);
  } catch (error) {
    if (current !== undefined) throw error;
    tools.progress(`removing what there is of lab "${layout.name}"`);
    await removeLab(tools, layout);
    throw error;
  }
}

/** What the lab shall be; everything a person gave is checked here, before anything is made. */
async function planState(
  layout: Layout,
  current: LabState | undefined,
  options: UpOptions,
): Promise<LabState> {
  const { topologyFile, routeSource, encapsulation, mustBeNew = false } = options;
  if (mustBeNew && current !== undefined) throw refuse(layout, "it is up already");
  if (current === undefined) {
    const { document, topology } = await readTopology(topologyFile ?? REFERENCE_TOPOLOGY);
    const state = createState(document, topology, routeSource ?? topology.routeSource);
    return withEncapsulation(state, encapsulation);
  }
  if (topologyFile !== undefined) {
    const { document } = await readTopology(topologyFile);
    if (!isDeepStrictEqual(toJson(document), current.document))
      throw refuse(layout, `it is up with another topology than "${topologyFile}"`);
  }
  return withEncapsulation({ ...current, routeSource: routeSource ?? current.routeSource }, encapsulation);
}

function refuse({ name }: Layout, state: string): LabError {
  const look = `look at it with "${labCommand(name, "status")}", end it with "${labCommand(name, "down")}"`;
  return new LabError("present", `Cannot start lab "${name}": ${state}; ${look}`);
}

/** A command that was killed may have left namespaces or files before there was a state. */
async function removeRemains(tools: LabTools, layout: Layout): Promise<void> {
  const isClean = !existsSync(layout.directory) && (await listNamespaces(layout)).length === 0;
  if (isClean) return;
  tools.progress(`removing what an earlier lab "${layout.name}" left`);
  await removeLab(tools, layout);
}

async function build(
  tools: LabTools,
  layout: Layout,
  state: LabState,
  signal: AbortSignal,
): Promise<LabState> {
  const { topology, routeSource } = state;
  const names = machinesOf(topology).map(({ name }) => name);
  tools.progress(`wiring ${topology.hosts.length} hosts`);
  await writeState(layout, state);
  await mkdir(layout.secrets, { recursive: true, mode: 0o700 });
  await createNamespaces(tools.processes, layout, [UNDERLAY, ...names].map(layout.namespace));
  await ensureUnderlay(layout, topology);
  signal.throwIfAborted();
  await ensureSpeakers(tools, layout, topology);
  if (topology.etcd.length > 0)
    tools.progress(`starting etcd on ${topology.etcd.map(({ name }) => name).join(", ")}`);
  await ensureEtcd(layout, topology);
  await startAgents(tools, layout, state, signal);
  const complete = await attachMissing(tools, layout, state, signal);
  tools.progress(`waiting for routes from ${routeSource === "bird" ? "BIRD" : "the datastore"}`);
  const wanted = { routeSource, pools: topology.pools };
  await Promise.all(topology.hosts.map(({ name }) => untilReady(tools, layout, name, { wanted, signal })));
  return complete;
}

/** The first host's agent holds the datastore, so it comes first, and the configuration is in there before the others look. */
async function startAgents(
  tools: LabTools,
  layout: Layout,
  { topology, routeSource }: LabState,
  signal: AbortSignal,
): Promise<void> {
  const first = firstHost(topology);
  const isFirst = ({ name }: { readonly name: string }): boolean => name === first;
  const start = async (host: (typeof topology.hosts)[number]): Promise<void> => {
    await ensureAgent(tools, layout, topology, host, { signal });
  };
  tools.progress(`starting the agents of ${topology.hosts.map(({ name }) => name).join(", ")}`);
  await Promise.all(topology.hosts.filter(isFirst).map(start));
  await applyResources(layout, topology, routeSource, { signal });
  await Promise.all(topology.hosts.filter((host) => !isFirst(host)).map(start));
}

/** Attaches the containers of the topology, and those that were added since, as far as they are not there. */
async function attachMissing(
  tools: LabTools,
  layout: Layout,
  state: LabState,
  signal: AbortSignal,
): Promise<LabState> {
  const namespaces = new Set(await listNamespaces(layout));
  const exists = ({ name }: Container): boolean => namespaces.has(layout.namespace(name));
  const isKnown = ({ name }: Container): boolean => state.containers.some((known) => known.name === name);
  const attachOne = async (container: Container): Promise<AttachedContainer> =>
    // Of a container that an earlier command began or lost, addresses may still be held.
    exists(container) || isKnown(container)
      ? await attachAnew(tools, layout, container, { signal })
      : await attach(tools, layout, container, { signal });

  const unknown = state.topology.containers.filter((container) => !isKnown(container));
  const missing = [...state.containers.filter((container) => !exists(container)), ...unknown];
  let complete: LabState = { ...state, containers: state.containers.filter(exists) };
  for (let index = 0; index < missing.length; index += PARALLEL_ATTACHMENTS) {
    const batch = missing.slice(index, index + PARALLEL_ATTACHMENTS);
    tools.progress(`attaching ${batch.map(({ name }) => name).join(", ")}`);
    const attached = await allOrFirstFailure(batch.map(attachOne));
    complete = { ...complete, containers: [...complete.containers, ...attached] };
    await writeState(layout, complete);
  }
  return complete;
}

/** As `Promise.all`, but nothing is under way any more when it fails: what there is can be removed then. */
async function allOrFirstFailure<T>(tasks: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(tasks);
  return await Promise.all(tasks);
}

/** The value as it is once it has been in the state file. */
function toJson(document: unknown): unknown {
  return JSON.parse(JSON.stringify(document));
}
