// SPDX-License-Identifier: Apache-2.0
import { type Cidr, hostCidr } from "../net/cidr.ts";
import type { BGPFilterSpec } from "../model/bgp-filter.ts";
import type { BGPPeerSpec } from "../model/bgp-peer.ts";
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import { soundAdvertisements } from "./bgp-issues.ts";
import { compareIps, isReflector, ownAddress, wantedSessions } from "./bgp-session.ts";
import type { Encapsulation, IpipEnd, NodeFacts, PoolFacts, Settings } from "./facts.ts";
import { type Path, wayTo } from "./path.ts";
import {
  IPIP_DEVICE,
  type TunnelledPool,
  type Unroutable,
  type WantedBird,
  type WantedSession,
} from "./wanted.ts";

export interface BirdContext {
  readonly self: string;
  readonly settings: Settings;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly pools: ReadonlyMap<string, PoolFacts>;
  readonly bgpPeers: ReadonlyMap<string, BGPPeerSpec>;
  readonly bgpFilters: ReadonlyMap<string, BGPFilterSpec>;
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
export function wantedBird(context: BirdContext): WantedBird | undefined {
  const { self, settings, nodes, pools, originated, ipipEnd } = context;
  const here = nodes.get(self);
  if (here === undefined) return undefined;
  // Whatever the mode: nodes learn of a change at different times, and must not lose by it what the others rely on.
  const exchanged = [...pools.values()]
    .filter((pool) => !pool.disableBgpExport)
    .sort((a, b) => (a.cidr < b.cidr ? -1 : 1));
  // Packets of the others must not travel as they are; the agent brings their routes.
  const served = exchanged.filter((pool) => servesBird(pool.encapsulation, ipipEnd));
  const sessions = wantedSessions(context);
  return {
    nodeAddress: here.address,
    asNumber: here.asNumber ?? settings.asNumber,
    listenPort: settings.listenPort,
    nodeAddress6: here.ipv6?.address,
    peers: meshPeers(here, context, new Set(sessions.map(({ address }) => address))),
    meshPassword: settings.meshPassword,
    gracefulRestartSeconds: settings.meshRestartSeconds,
    sessions,
    filters: filtersOf(sessions, context.bgpFilters),
    prefixAdvertisements: soundAdvertisements(settings),
    ignoredInterfaces: settings.ignoredInterfaces,
    logLevel: settings.birdLogLevel,
    bindsNodeAddress: settings.bindsNodeAddress,
    originated: [...originated].sort(),
    poolCidrs: exchanged.map((pool) => pool.cidr),
    kernelCidrs: served.map((pool) => pool.cidr),
    tunnelled: served.flatMap((pool) => tunnelledPool(pool, here, nodes)),
    purpose: purposeOf(settings, relyingOnBird(nodes, self)),
  };
}

/** All other nodes but reflectors, and but those that a BGPPeer has a session with. */
function meshPeers(
  here: NodeFacts,
  { self, settings, nodes }: BirdContext,
  taken: ReadonlySet<Ip>,
): WantedBird["peers"] {
  if (!settings.nodeMesh || isReflector(here)) return [];
  const { holders } = holdersOf(nodes, self);
  return [...holders]
    .filter(([address, name]) => name !== self && !isReflector(nodes.get(name)) && !taken.has(address))
    .filter(([address]) => ownAddress(here, address) !== undefined)
    .map(([address, name]) => ({ name, address, asNumber: nodes.get(name)?.asNumber ?? settings.asNumber }))
    .sort((a, b) => (a.name === b.name ? compareIps(a.address, b.address) : a.name < b.name ? -1 : 1));
}

/** Those that are named and there; of the others, status tells. */
function filtersOf(
  sessions: readonly WantedSession[],
  filters: ReadonlyMap<string, BGPFilterSpec>,
): WantedBird["filters"] {
  const names = new Set(sessions.flatMap((session) => session.filters));
  return [...names].sort().flatMap((name) => {
    const spec = filters.get(name);
    return spec === undefined ? [] : [{ name, spec }];
  });
}

function tunnelledPool(
  { cidr, encapsulation }: PoolFacts,
  here: NodeFacts,
  nodes: ReadonlyMap<string, NodeFacts>,
): readonly TunnelledPool[] {
  if (encapsulation.kind !== "ipip") return [];
  const paths = [...nodes]
    .filter(([, there]) => there !== here)
    .map(
      ([name, there]) => [there.address, wayTo({ ...there, name }, here, encapsulation).path.kind] as const,
    );
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
  readonly holders: ReadonlyMap<Ip, string>;
  readonly rivals: readonly (readonly [name: string, address: Ip])[];
} {
  const holders = new Map<Ip, string>();
  const rivals: (readonly [string, Ip])[] = [];
  const others = [...nodes.keys()].filter((name) => name !== self).sort();
  for (const name of [self, ...others])
    for (const address of addressesOf(nodes.get(name))) {
      if (holders.has(address)) rivals.push([name, address]);
      else holders.set(address, name);
    }
  return { holders, rivals };
}

function addressesOf(node: NodeFacts | undefined): readonly Ip[] {
  if (node === undefined) return [];
  return node.ipv6 === undefined ? [node.address] : [node.address, node.ipv6.address];
}

/** Nodes that claim an address which another has: a machine that was replaced, and its old record, as a rule. */
export function addressConflicts(nodes: ReadonlyMap<string, NodeFacts>, self: string): readonly Unroutable[] {
  const { holders, rivals } = holdersOf(nodes, self);
  return rivals.map(([name, address]) => ({
    dst: hostCidr(address),
    reason: `node "${name}" claims the address of node "${holders.get(address) ?? ""}"`,
  }));
}
