// SPDX-License-Identifier: Apache-2.0
import { type Cidr, hostCidr } from "../net/cidr.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Encapsulation, IpipEnd, NodeFacts, PoolFacts, Settings } from "./facts.ts";
import { type Path, wayTo } from "./path.ts";
import { IPIP_DEVICE, type TunnelledPool, type Unroutable, type WantedBird } from "./wanted.ts";

export interface BirdContext {
  readonly self: string;
  readonly settings: Settings;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly pools: ReadonlyMap<string, PoolFacts>;
  readonly originated: readonly Cidr[];
  readonly ipipEnd: IpipEnd | undefined;
}

/**
 * Whether BIRD can bring the routes of pools of this kind: packets that travel as they are, or through a device to the next hop itself. By
 * VXLAN and by programs there is more to a route than BIRD knows.
 */
export function servesBird({ kind }: Encapsulation, ipipEnd: IpipEnd | undefined): boolean {
  return kind === "none" || (kind === "ipip" && ipipEnd?.driver !== "bpf");
}

/**
 * What BIRD is to do on this node; `undefined` while that cannot be known, because the node has no address. When the cluster
 * leaves BIRD, a node's BIRD withdraws its routes from its own kernel, but goes on announcing as long as another node relies on it.
 */
export function wantedBird({
  self,
  settings,
  nodes,
  pools,
  originated,
  ipipEnd,
}: BirdContext): WantedBird | undefined {
  const here = nodes.get(self);
  if (here === undefined) return undefined;
  const { holders } = holdersOf(nodes, self);
  // Whatever the mode: nodes learn of a change at different times, and must not lose by it what the others rely on.
  const exchanged = [...pools.values()]
    .filter((pool) => !pool.disableBgpExport)
    .sort((a, b) => (a.cidr < b.cidr ? -1 : 1));
  // Packets of the others must not travel as they are; the agent brings their routes.
  const served = exchanged.filter((pool) => servesBird(pool.encapsulation, ipipEnd));
  const peers = settings.nodeMesh ? [...holders].filter(([, name]) => name !== self) : [];
  return {
    nodeAddress: here.address,
    asNumber: here.asNumber ?? settings.asNumber,
    listenPort: settings.listenPort,
    peers: peers
      .map(([address, name]) => ({ name, address, asNumber: nodes.get(name)?.asNumber ?? settings.asNumber }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    originated: [...originated].sort(),
    poolCidrs: exchanged.map((pool) => pool.cidr),
    kernelCidrs: served.map((pool) => pool.cidr),
    tunnelled: served.flatMap((pool) => tunnelledPool(pool, here, holders, nodes)),
    purpose: purposeOf(settings, relyingOnBird(nodes, self)),
  };
}

function tunnelledPool(
  { cidr, encapsulation }: PoolFacts,
  here: NodeFacts,
  holders: ReadonlyMap<Ipv4, string>,
  nodes: ReadonlyMap<string, NodeFacts>,
): readonly TunnelledPool[] {
  if (encapsulation.kind !== "ipip") return [];
  const paths = [...holders].flatMap(([address, name]) => {
    const there = nodes.get(name);
    if (there === undefined || there === here) return [];
    return [[address, wayTo({ ...there, name }, here, encapsulation).path.kind] as const];
  });
  const by = (...kinds: readonly Path["kind"][]): readonly Ipv4[] =>
    paths
      .filter(([, kind]) => kinds.includes(kind))
      .map(([address]) => address)
      .sort();
  return [{ cidr, ifName: IPIP_DEVICE, through: by("ipip"), without: by("vxlan", "none") }];
}

/** The other nodes that rely on what this one announces. */
export function relyingOnBird(nodes: ReadonlyMap<string, NodeFacts>, self: string): readonly string[] {
  return [...nodes]
    .filter(([name, node]) => name !== self && node.routeSource !== "datastore")
    .map(([name]) => name)
    .sort();
}

function purposeOf({ routeSource }: Settings, relying: readonly string[]): WantedBird["purpose"] {
  if (routeSource === "bird") return "routes";
  return relying.length > 0 ? "announcing" : "none";
}

/** An address can have one session only: this node's own is its own, another goes to the first of those who claim it. */
function holdersOf(
  nodes: ReadonlyMap<string, NodeFacts>,
  self: string,
): {
  readonly holders: ReadonlyMap<Ipv4, string>;
  readonly rivals: readonly (readonly [name: string, address: Ipv4])[];
} {
  const holders = new Map<Ipv4, string>();
  const rivals: (readonly [string, Ipv4])[] = [];
  const others = [...nodes.keys()].filter((name) => name !== self).sort();
  for (const name of [self, ...others]) {
    const address = nodes.get(name)?.address;
    if (address === undefined) continue;
    if (holders.has(address)) rivals.push([name, address]);
    else holders.set(address, name);
  }
  return { holders, rivals };
}

/** Nodes that claim an address which another has: a machine that was replaced, and its old record, as a rule. */
export function addressConflicts(nodes: ReadonlyMap<string, NodeFacts>, self: string): readonly Unroutable[] {
  const { holders, rivals } = holdersOf(nodes, self);
  return rivals.map(([name, address]) => ({
    dst: hostCidr(address),
    reason: `node "${name}" claims the address of node "${holders.get(address) ?? ""}"`,
  }));
}
