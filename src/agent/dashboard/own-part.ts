// SPDX-License-Identifier: Apache-2.0
// The node's own part of the view: what its agent alone can tell.
import type { Dataplane } from "../../dataplane/dataplane.ts";
import type { Calculation } from "../../desired/calculation.ts";
import type { RoomFor } from "../../desired/mtu.ts";
import { IPIP_DEVICE, VXLAN6_DEVICE, VXLAN_DEVICE, WIREGUARD_DEVICE } from "../../desired/wanted.ts";
import type { IPPool } from "../../model/ip-pool.ts";
import { poolOf } from "../../model/pools.ts";
import { parseWorkloadEndpointName } from "../../model/workload-endpoint.ts";
import { cidrAddress, cidrOf, parseInterfaceAddress } from "../../net/cidr.ts";
import { type Ip, familyOf } from "../../net/ip.ts";
import { byId } from "../../web/view/by-id.ts";
import type { Narrated } from "../../web/view/narrate.ts";
import type { Item } from "../../web/view/view.ts";
import type { BlockUse, Catalog } from "../catalog.ts";
import { type AgentState, degradationsOf, peersOf, reasonsOf } from "../status.ts";

/** What the view is made of. */
export interface ViewParts {
  readonly nodeName: string;
  /** Of the program. */
  readonly version: string;
  readonly calculation: Pick<Calculation, "nodes" | "endpoints" | "pathsToNodes">;
  readonly catalog: Pick<Catalog, "pools" | "blocks">;
  readonly dataplane: Pick<Dataplane, "link" | "pendingOn" | "measures">;
}

/** The parts, and what is so of the agent at this moment. */
interface Inputs extends ViewParts {
  readonly state: AgentState;
}

const DEVICES: Readonly<Record<RoomFor, string>> = {
  ipip: IPIP_DEVICE,
  vxlan: VXLAN_DEVICE,
  vxlan6: VXLAN6_DEVICE,
  wireguard: WIREGUARD_DEVICE,
};

/** Collections sorted by their ids. */
export function renderOwnPart(parts: ViewParts, state: AgentState): Narrated {
  const inputs: Inputs = { ...parts, state };
  const { nodeName } = parts;
  const blocks = Array.from(inputs.catalog.blocks).filter(({ node }) => node === nodeName);
  return {
    machines: [machineOf(inputs)],
    nodes: [nodeOf(inputs)],
    containers: byId(Array.from(inputs.calculation.endpoints(), (one) => containerOf(one, inputs))),
    sessions: sessionsOf(inputs),
    tunnels: inputs.state.tunnels.map((end) => tunnelOf(end, inputs)),
    blocks: byId(blocks.map((block) => blockOf(block, inputs.catalog.pools))),
    repairs: { node: nodeName, counts: inputs.dataplane.measures().repairs },
  };
}

export function blockOf(
  { cidr, node, total: size, inUse: used, free }: BlockUse,
  pools: readonly IPPool[],
): Item<"blocks"> {
  const pool = poolOf(pools, cidrAddress(cidr))?.metadata.name ?? null;
  return { id: cidr, pool, node: node ?? null, size, used, cooling: size - used - free, free };
}

function machineOf({ nodeName, state: { address }, dataplane }: Inputs): Item<"machines"> {
  const machine = { id: nodeName, name: nodeName, kind: "host" } as const;
  if (address === undefined) return { ...machine, ports: [] };
  const { ip, prefixLength } = parseInterfaceAddress(address.address);
  const link = dataplane.link({ address: ip });
  const port = {
    segment: cidrOf(ip, prefixLength),
    interface: link?.name ?? null,
    address: ip,
    isUp: link?.isUp ?? false,
  };
  return { ...machine, ports: [port] };
}

function nodeOf({ nodeName, version, state, dataplane }: Inputs): Item<"nodes"> {
  const { address, ipv6Address, routeSource, tunnels } = state;
  const reasons = reasonsOf(state);
  return {
    id: nodeName,
    machine: nodeName,
    addresses: [address, ipv6Address].flatMap((known) =>
      known === undefined ? [] : [parseInterfaceAddress(known.address).ip],
    ),
    isOwn: true,
    isAnswering: true,
    isReady: reasons.length === 0,
    version,
    reasons,
    degraded: degradationsOf(state),
    routeSource,
    encapsulations: tunnels.map(({ kind }) => kind),
    routesByOrigin: dataplane.measures().routes,
  };
}

function containerOf(
  [name, { ifName, ips }]: ReturnType<Calculation["endpoints"]> extends Iterable<infer One> ? One : never,
  { nodeName, dataplane }: Inputs,
): Item<"containers"> {
  const missing = dataplane.pendingOn(ifName);
  return {
    id: `${nodeName}/${ifName}`,
    name: parseWorkloadEndpointName(name)?.workload ?? name,
    node: nodeName,
    interface: ifName,
    addresses: ips,
    isReady: missing.length === 0,
    missing,
  };
}

function sessionsOf({ nodeName, state, calculation }: Inputs): readonly Item<"sessions">[] {
  const { bird, wantedBird } = state;
  const wanted = new Map(peersOf(wantedBird).map(({ address, what }) => [address, what]));
  const found = new Map((bird.kind === "running" ? bird.sessions : []).map((one) => [one.peer, one]));
  const nodes = nodesByAddress(calculation);
  return byId(
    [...new Set([...wanted.keys(), ...found.keys()])].map((address) => {
      const session = found.get(address);
      return {
        id: `${nodeName}/${address}`,
        from: nodeName,
        to: nodes.get(address) ?? null,
        with: wanted.get(address) ?? null,
        address,
        family: familyOf(address),
        state: session?.state ?? null,
        isWanted: wanted.has(address),
        sinceMs: session?.sinceMs ?? null,
        imported: session?.imported ?? 0,
        exported: session?.exported ?? 0,
        lastError: session?.lastError ?? null,
      };
    }),
  );
}

function nodesByAddress(calculation: Pick<Calculation, "nodes">): ReadonlyMap<Ip, string> {
  return new Map(
    [...calculation.nodes()].flatMap(([name, { address, ipv6 }]) =>
      [address, ...(ipv6 === undefined ? [] : [ipv6.address])].map((ip) => [ip, name] as const),
    ),
  );
}

function tunnelOf(
  { kind, address, mtu }: AgentState["tunnels"][number],
  { nodeName, state: { dataplane: objects }, dataplane, calculation }: Inputs,
): Item<"tunnels"> {
  // Programs on the underlay have no interface.
  const isByPrograms = kind === "ipip" && objects.wanted.ipip > 0;
  const peers = calculation.pathsToNodes().flatMap(({ node, via }) => (via === kind ? [node] : []));
  return {
    id: `${nodeName}/${kind}`,
    node: nodeName,
    kind,
    interface: isByPrograms ? null : DEVICES[kind],
    address,
    mtu: mtu ?? null,
    isUp: isByPrograms ? null : (dataplane.link({ name: DEVICES[kind] })?.isUp ?? false),
    peers: [...new Set(peers)],
  };
}
