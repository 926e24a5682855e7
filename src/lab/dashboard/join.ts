// SPDX-License-Identifier: Apache-2.0
// One view of a whole lab: what its agents tell, and what the lab knows by itself. Pure.
import { byId } from "../../web/view/by-id.ts";
import type { Narrated } from "../../web/view/narrate.ts";
import type { Item, View } from "../../web/view/view.ts";
import type { AttachedContainer } from "../state.ts";
import type { Host, Topology } from "../topology-schema.ts";
import { planUnderlay } from "../underlay-plan.ts";

/** What an agent has told last, and whether that is of now. */
export interface AgentPart {
  readonly view: View | undefined;
  readonly isAnswering: boolean;
}

export interface LabInputs {
  readonly topology: Topology;
  readonly containers: readonly AttachedContainer[];
  /** By the names of their hosts. */
  readonly agents: ReadonlyMap<string, AgentPart>;
  /** Whether the machine's interface is up; `null` where nobody knows. */
  readonly isUp: (machine: string, ifName: string) => boolean | null;
  /** Of machines without an agent. */
  readonly counters: View["counters"];
}

type Collections = Omit<View, "scope" | "name" | "version" | "at">;

export function joinViews(inputs: LabInputs): Collections {
  const { topology, agents, counters } = inputs;
  const { segments } = topology.underlay;
  const views = [...agents.values()];
  const machines = machinesOf(inputs);
  return {
    segments: byId(segments.map(({ name, cidr }) => ({ id: name, name, cidr }))),
    machines,
    nodes: nodesOf(inputs),
    containers: byId(topology.hosts.flatMap((host) => containersOf(host, inputs))),
    sessions: byId(views.flatMap((part) => sessionsOf(part, machines))),
    tunnels: byId(views.flatMap(tunnelsOf)),
    ...addressesOf(views),
    counters: byId([...counters, ...views.flatMap(({ view }) => view?.counters ?? [])]),
  };
}

/** What no agent tells of: which agents answer, and the links of machines without one that does. */
export function labsPart({ nodes, machines }: Pick<View, "nodes" | "machines">): Narrated {
  const answering = new Set(nodes.flatMap(({ id, isAnswering }) => (isAnswering === true ? [id] : [])));
  return {
    machines: machines.filter(({ id }) => !answering.has(id)),
    nodes: nodes.map((node) => ({ ...node, isReady: null, degraded: [], routeSource: null })),
    containers: [],
    sessions: [],
    tunnels: [],
    blocks: [],
  };
}

function machinesOf({ topology, isUp }: LabInputs): View["machines"] {
  return byId(
    planUnderlay(topology).map(({ name, isRouter, ports }) => ({
      id: name,
      name,
      kind: isRouter ? ("router" as const) : kindOf(topology, name),
      ports: ports.map(({ segment, nodeEnd, address }) => ({
        segment: segment.name,
        interface: nodeEnd,
        address,
        isUp: isUp(name, nodeEnd),
      })),
    })),
  );
}

function kindOf({ hosts, etcd }: Topology, machine: string): Item<"machines">["kind"] {
  if (hosts.some(({ name }) => name === machine)) return "host";
  return etcd.some(({ name }) => name === machine) ? "datastore" : "outside";
}

/** Hosts, and nodes of the datastore that are none. */
function nodesOf({ topology, agents }: LabInputs): View["nodes"] {
  const hosts = new Set(topology.hosts.map(({ name }) => name));
  const others = (firstOf([...agents.values()])?.nodes ?? []).filter(({ id }) => !hosts.has(id));
  return byId([
    ...topology.hosts.map((host) => nodeOf(host, agents.get(host.name))),
    ...others.map((node) => ({ ...node, machine: null })),
  ]);
}

function nodeOf(host: Host, part: AgentPart | undefined): Item<"nodes"> {
  const { name, address, ipv6Address } = host;
  const told = part?.view?.nodes.find(({ id }) => id === name);
  if (told !== undefined && part?.isAnswering === true) return told;
  return {
    id: name,
    machine: name,
    addresses: [address, ...(ipv6Address === undefined ? [] : [ipv6Address])],
    isOwn: true,
    isAnswering: false,
    isReady: null,
    version: told?.version ?? null,
    reasons: ["its agent does not answer: forwarding goes on as it was"],
    degraded: [],
    routeSource: told?.routeSource ?? null,
    encapsulations: told?.encapsulations ?? [],
    routesByOrigin: null,
  };
}

/** Where the agent does not answer, those that it has told of, or that the lab has attached. */
function containersOf(
  { name: node }: Host,
  { agents, containers }: LabInputs,
): readonly Item<"containers">[] {
  const { view, isAnswering = false } = agents.get(node) ?? {};
  if (view !== undefined && isAnswering) return view.containers;
  const attached = containers
    .filter(({ host }) => host === node)
    .map(({ name, interface: ifName, addresses }) => ({
      id: `${node}/${ifName}`,
      name,
      node,
      interface: ifName,
      addresses,
    }));
  const all = new Map([...attached, ...(view?.containers ?? [])].map((one) => [one.id, one]));
  return [...all.values()].map((one) => ({ ...one, isReady: null, missing: [] }));
}

/** A peer that is no node may be a router. */
function sessionsOf({ view, isAnswering }: AgentPart, machines: View["machines"]): View["sessions"] {
  const machineAt = (address: string): string | null =>
    machines.find(({ ports }) => ports.some((port) => port.address === address))?.id ?? null;
  return (view?.sessions ?? []).map((session) => ({
    ...session,
    to: session.to ?? machineAt(session.address),
    state: isAnswering ? session.state : null,
  }));
}

function tunnelsOf({ view, isAnswering }: AgentPart): View["tunnels"] {
  const tunnels = view?.tunnels ?? [];
  return isAnswering ? tunnels : tunnels.map((tunnel) => ({ ...tunnel, isUp: null }));
}

/** All agents read them from one datastore. */
function addressesOf(views: readonly AgentPart[]): Pick<View, "pools" | "blocks"> {
  const { pools = [], blocks = [] } = firstOf(views) ?? {};
  return { pools, blocks };
}

/** The view of an agent that answers, or where none does, any that has answered. */
function firstOf(views: readonly AgentPart[]): View | undefined {
  const told = views.filter(({ view }) => view !== undefined);
  return (told.find(({ isAnswering }) => isAnswering) ?? told[0])?.view;
}
