// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContains, hostCidr } from "../net/cidr.ts";
import { addressConflicts, relyingOnBird, wantedBird } from "./bird.ts";
import { type BlockContext, type BlockRoutes, blockRoutes } from "./block.ts";
import { endpointContributed } from "./endpoint.ts";
import {
  type BlockFacts,
  DEFAULT_SETTINGS,
  type Encapsulation,
  type Fact,
  type NodeFacts,
  type PoolFacts,
  type Settings,
  type VxlanEnd,
} from "./facts.ts";
import { type Contributed, Outcome } from "./outcome.ts";
import { ownVxlan, vxlanPeer } from "./vxlan.ts";
import {
  type DesiredDelta,
  GATEWAY,
  type Kind,
  LOOPBACK,
  MAIN_TABLE,
  type Unroutable,
  WORKLOAD_METRIC,
  type Wanted,
  type WantedBird,
  type WantedRoute,
  type WantedSysctl,
  routeKey,
  sysctlKey,
} from "./wanted.ts";

/** Everything this node should have, sorted: for comparison, tests and people. */
export type DesiredState = { readonly [K in Kind]: readonly Wanted[K][] } & {
  readonly bird: WantedBird | undefined;
  readonly unroutable: readonly Unroutable[];
};

const NOTHING: Contributed = {};
const NO_ROUTES: BlockRoutes = { routes: [], originated: [], unroutable: [] };

/**
 * Turns facts about the cluster into what one node should have, incrementally: a fact costs what depends on it,
 * whatever the size of the cluster. The outcome depends on the facts that hold, never on the order they came in.
 */
export class Calculation {
  readonly #self: string;
  #settings: Settings = DEFAULT_SETTINGS;
  readonly #nodes = new Map<string, NodeFacts>();
  readonly #blocks = new Map<Cidr, BlockFacts>();
  readonly #pools = new Map<string, PoolFacts>();
  /** `<node> <block>` of every confirmed claim. */
  readonly #confirmed = new Set<string>();
  /** node -> the blocks whose routes depend on it */
  readonly #blocksOfNode = new Map<string, Set<Cidr>>();
  /** block -> what this node announces because of it; only blocks that cause something are in here and in the next */
  readonly #originated = new Map<Cidr, readonly Cidr[]>();
  readonly #unroutable = new Map<Cidr, readonly Unroutable[]>();

  readonly #outcome = new Outcome();

  /** Blocks to look at again before the next delta is given out. */
  readonly #stale = new Set<Cidr>();
  #isBirdStale = true;
  /** Nodes whose end of the tunnel to look at again. */
  readonly #staleNodes = new Set<string>();
  #vxlanEnd: VxlanEnd | undefined;
  #underlayMtu: number | undefined;

  constructor(self: string) {
    this.#self = self;
    this.#outcome.set("node", { sysctl: [nodeSysctl("ip_forward", "1")], route: [gatewayRoute()] });
  }

  update(facts: readonly Fact[]): DesiredDelta {
    for (const fact of facts) this.#learn(fact);
    for (const cidr of this.#stale) this.#recalculate(cidr);
    this.#stale.clear();
    for (const name of this.#staleNodes) this.#recalculateTunnel(name);
    this.#staleNodes.clear();
    const bird = this.#isBirdStale;
    this.#isBirdStale = false;
    return { ...this.#outcome.takeDelta(), bird };
  }

  /** What BIRD is to do; `undefined` while that cannot be known. */
  bird(): WantedBird | undefined {
    const originated = [...this.#originated.values()].flat();
    return wantedBird({
      self: this.#self,
      settings: this.#settings,
      nodes: this.#nodes,
      pools: this.#pools,
      originated,
    });
  }

  /** Destinations of the cluster that have no route here, and why. */
  unroutable(): readonly Unroutable[] {
    const all = [...this.#unroutable.values(), addressConflicts(this.#nodes, this.#self)].flat();
    return all.sort((a, b) => (a.dst < b.dst ? -1 : 1));
  }

  /** Whether every destination inside the prefixes that needs a route has one. */
  isRoutable(cidrs: readonly Cidr[]): boolean {
    const missing = [...this.#unroutable.values()].flat();
    return !missing.some(({ dst }) => cidrs.some((cidr) => cidrContains(cidr, dst)));
  }

  /** The other nodes that rely on what this one's BIRD announces. */
  relyingOnBird(): readonly string[] {
    return relyingOnBird(this.#nodes, this.#self);
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** The whole outcome; {@link update} gives its changes. */
  state(): DesiredState {
    return { ...this.#outcome.state(), bird: this.bird(), unroutable: this.unroutable() };
  }

  #learn(fact: Fact): void {
    switch (fact.kind) {
      case "node":
        setOrDelete(this.#nodes, fact.name, fact.value);
        this.#staleNodes.add(fact.name);
        this.#isBirdStale = true;
        // Every remote route depends on whether this node itself has an address.
        this.#invalidate(
          fact.name === this.#self ? this.#blocks.keys() : (this.#blocksOfNode.get(fact.name) ?? []),
        );
        break;
      case "block":
        this.#learnBlock(fact.cidr, fact.value);
        break;
      case "affinity":
        if (fact.value === true) this.#confirmed.add(claimKey(fact.node, fact.cidr));
        else this.#confirmed.delete(claimKey(fact.node, fact.cidr));
        this.#invalidate([fact.cidr]);
        break;
      case "endpoint":
        this.#outcome.set(
          `endpoint ${fact.name}`,
          fact.value === undefined ? NOTHING : endpointContributed(fact.value),
        );
        break;
      case "pool":
        setOrDelete(this.#pools, fact.name, fact.value);
        this.#isBirdStale = true;
        // Rare, and every route may travel otherwise now.
        this.#invalidate(this.#blocks.keys());
        break;
      case "settings":
        if (fact.value.routeSource !== this.#settings.routeSource) this.#invalidate(this.#blocks.keys());
        this.#settings = fact.value;
        this.#isBirdStale = true;
        this.#staleNodes.add(this.#self);
        break;
      case "vxlanEnd":
        this.#vxlanEnd = fact.value;
        this.#invalidate(this.#blocks.keys());
        for (const name of [this.#self, ...this.#nodes.keys()]) this.#staleNodes.add(name);
        break;
      case "underlay":
        this.#underlayMtu = fact.mtu;
        this.#staleNodes.add(this.#self);
        break;
    }
  }

  #learnBlock(cidr: Cidr, block: BlockFacts | undefined): void {
    for (const node of nodesOf(this.#blocks.get(cidr))) this.#blocksOfNode.get(node)?.delete(cidr);
    setOrDelete(this.#blocks, cidr, block);
    for (const node of nodesOf(block)) {
      const blocks = this.#blocksOfNode.get(node) ?? new Set<Cidr>();
      this.#blocksOfNode.set(node, blocks.add(cidr));
    }
    this.#invalidate([cidr]);
  }

  #invalidate(blocks: Iterable<Cidr>): void {
    for (const cidr of blocks) this.#stale.add(cidr);
  }

  #recalculate(cidr: Cidr): void {
    const block = this.#blocks.get(cidr);
    const outcome: BlockRoutes = block === undefined ? NO_ROUTES : blockRoutes(block, this.#context());
    this.#outcome.set(`block ${cidr}`, { route: outcome.routes });
    if (String(this.#originated.get(cidr) ?? "") !== String(outcome.originated)) this.#isBirdStale = true;
    setOrDelete(this.#originated, cidr, orUndefined(outcome.originated));
    setOrDelete(this.#unroutable, cidr, orUndefined(outcome.unroutable));
  }

  #recalculateTunnel(name: string): void {
    const node = this.#vxlanEnd === undefined ? undefined : this.#nodes.get(name);
    const peer = (): Contributed => (node === undefined ? NOTHING : vxlanPeer(node));
    this.#outcome.set(`vxlan ${name}`, name === this.#self ? this.#ownVxlan() : peer());
  }

  #ownVxlan(): Contributed {
    const here = this.#nodes.get(this.#self);
    const mtu = this.#underlayMtu;
    if (this.#vxlanEnd === undefined || here === undefined || mtu === undefined) return NOTHING;
    return ownVxlan(this.#vxlanEnd, here, this.#settings, mtu);
  }

  #context(): BlockContext {
    return {
      self: this.#self,
      routeSource: this.#settings.routeSource,
      node: (name) => this.#nodes.get(name),
      encapsulation: (dst) => encapsulationOf(this.#pools.values(), dst),
      hasVxlanEnd: this.#vxlanEnd !== undefined,
      isConfirmed: (node, block) => this.#confirmed.has(claimKey(node, block)),
    };
  }
}

/** Pools do not overlap; an address in none travels as it is. */
function encapsulationOf(pools: Iterable<PoolFacts>, dst: Cidr): Encapsulation {
  for (const { cidr, encapsulation } of pools) if (cidrContains(cidr, dst)) return encapsulation;
  return { kind: "none" };
}

function nodesOf(block: BlockFacts | undefined): readonly string[] {
  if (block === undefined) return [];
  return [...(block.node === undefined ? [] : [block.node]), ...block.strays.map((stray) => stray.node)];
}

function orUndefined<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function claimKey(node: string, block: Cidr): string {
  return `${node} ${block}`;
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function nodeSysctl(name: string, value: string): { key: string; value: WantedSysctl } {
  const path = ["net", "ipv4", name];
  return { key: sysctlKey(path), value: { path, value, ifName: undefined } };
}

/**
 * The kernel answers a proxied ARP request only where it has a route to the address by another interface
 * (`arp_fwd_proxy()`, net/ipv4/arp.c). Calico relies on the node's default route for that; this one is always there.
 */
function gatewayRoute(): { key: string; value: WantedRoute } {
  const dst = hostCidr(GATEWAY);
  const target = { kind: "link", ifName: LOOPBACK } as const;
  return {
    key: routeKey(dst, WORKLOAD_METRIC),
    value: { table: MAIN_TABLE, dst, metric: WORKLOAD_METRIC, target, standing: "present" },
  };
}
