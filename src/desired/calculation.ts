// SPDX-License-Identifier: Apache-2.0
import type { BGPFilterSpec } from "../model/bgp-filter.ts";
import type { BGPPeerSpec } from "../model/bgp-peer.ts";
import { type Cidr, cidrContains, cidrFamily, hostCidr, prefixLengthOf } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { bgpIssues } from "./bgp-issues.ts";
import { type BirdContext, addressConflicts, relyingOnBird, wantedBird } from "./bird.ts";
import { type BlockContext, blockOutcome } from "./block.ts";
import { endpointContributed } from "./endpoint.ts";
import {
  type BlockFacts,
  DEFAULT_SETTINGS,
  type Encapsulation,
  type EndpointFacts,
  type Fact,
  type NodeFacts,
  type PoolFacts,
  type Settings,
  type TunnelEnds,
  type TunnelKind,
  type VxlanKind,
} from "./facts.ts";
import { holdingsOf } from "./holding.ts";
import { type Contributed, Outcome } from "./outcome.ts";
import { natHost, ownNat, sparesHosts } from "./nat.ts";
import { type RoomFor, containerMtu, ipv6MtuIssues, mtuIssues, tunnelMtu } from "./mtu.ts";
import { type PathToNode, type PathsContext, pathsTo } from "./paths.ts";
import { ownSourceCheck } from "./source-check.ts";
import { ipv6Forwarding, nodeSysctl } from "./sysctl.ts";
import { NO_ENDS, type OwnEnd, type TunnelContext, ownEnds, tunnelParts, tunnelsInUse } from "./tunnels.ts";
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
  routeKey,
} from "./wanted.ts";
import { IPV6_UNENCRYPTED, KeyHolders, unencrypted } from "./wireguard.ts";

/** Everything this node should have, sorted: for comparison, tests and people. */
export type DesiredState = { readonly [K in Kind]: readonly Wanted[K][] } & {
  readonly bird: WantedBird | undefined;
  readonly unroutable: readonly Unroutable[];
  readonly detours: readonly Unroutable[];
  readonly unencrypted: readonly string[];
};

const NOTHING: Contributed = {};

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
  readonly #endpoints = new Map<string, EndpointFacts>();
  readonly #bgpPeers = new Map<string, BGPPeerSpec>();
  readonly #bgpFilters = new Map<string, BGPFilterSpec>();
  /** `<node> <block>` of every confirmed claim. */
  readonly #confirmed = new Set<string>();
  /** node -> the blocks whose routes depend on it */
  readonly #blocksOfNode = new Map<string, Set<Cidr>>();
  /** block -> what this node announces because of it; only blocks that cause something are in here and in the next ones */
  readonly #originated = new Map<Cidr, readonly Cidr[]>();
  readonly #unroutable = new Map<Cidr, readonly Unroutable[]>();
  readonly #detours = new Map<Cidr, readonly Unroutable[]>();
  readonly #tunnels = new Map<Cidr, readonly TunnelKind[]>();

  readonly #outcome = new Outcome();

  /** Blocks to look at again before the next delta is given out. */
  readonly #stale = new Set<Cidr>();
  #isBirdStale = true;
  /** What this node has ceased to announce since the last delta was given out. */
  #withdrawn: readonly Cidr[] = [];
  /** Nodes to look at again, for what tunnels and outgoing translation need of them. */
  readonly #staleNodes = new Set<string>();
  /** This node's own. */
  #ends: TunnelEnds = NO_ENDS;
  readonly #keyHolders = new KeyHolders();
  /** What was found out, by itself. */
  readonly #checksumFindings = new Map<VxlanKind, boolean>();
  #isNatStale = true;
  /** Whether packets to nodes are left out of outgoing translation. */
  #isSparingHosts = false;
  #underlayMtu: number | undefined;
  #containerMtu: number | undefined;

  constructor(self: string) {
    this.#self = self;
    this.#outcome.set("node", {
      ...ownSourceCheck(),
      sysctl: [nodeSysctl("ip_forward", "1")],
      route: [gatewayRoute()],
    });
  }

  update(facts: readonly Fact[]): DesiredDelta {
    for (const fact of facts) this.#learn(fact);
    this.#recalculateMtu();
    this.#recalculateNat();
    for (const cidr of this.#stale) this.#recalculate(cidr);
    this.#stale.clear();
    for (const name of this.#staleNodes) this.#recalculateNode(name);
    this.#staleNodes.clear();
    const bird = this.#isBirdStale;
    this.#isBirdStale = false;
    const withdrawn = this.#withdrawn;
    this.#withdrawn = [];
    return { ...this.#outcome.takeDelta(), bird, withdrawn };
  }

  /** The MTU of containers, in octets; `undefined` while the underlay is not known. */
  get containerMtu(): number | undefined {
    return this.#containerMtu;
  }

  /** The MTU of the interface that carries this node's address, in octets; `undefined` while that is not known. */
  get underlayMtu(): number | undefined {
    return this.#underlayMtu;
  }

  /** Whether this node has an end of the tunnel, and it is not known yet what becomes of its checksums. */
  isChecksumOffloadUnknown(tunnel: VxlanKind): boolean {
    return this.#ends[tunnel] !== undefined && this.#isChecksumOffloadBroken(tunnel) === undefined;
  }

  /** What is amiss with the sizes of the tunnels in use, in words. */
  mtuIssues(): readonly string[] {
    const mtu = this.#underlayMtu;
    if (mtu === undefined) return [];
    const issues = mtuIssues(this.#tunnelsInUse(), mtu, this.#settings);
    return this.#hasIpv6 ? [...issues, ...ipv6MtuIssues(this.#containerMtu ?? mtu)] : issues;
  }

  /** This node's ends of tunnels. */
  ownEnds(): readonly OwnEnd[] {
    return ownEnds(this.#tunnelContext());
  }

  /** What BIRD is to do; `undefined` while that cannot be known. */
  bird(): WantedBird | undefined {
    return wantedBird(this.#birdContext());
  }

  /** What is amiss with what resources ask of BGP on this node, in words. */
  bgpIssues(): readonly string[] {
    return bgpIssues(this.#birdContext());
  }

  #birdContext(): BirdContext {
    return {
      self: this.#self,
      settings: this.#settings,
      nodes: this.#nodes,
      pools: this.#pools,
      bgpPeers: this.#bgpPeers,
      bgpFilters: this.#bgpFilters,
      originated: [...this.#originated.values()].flat(),
      ipipEnd: this.#ends.ipip,
    };
  }

  /** Destinations of the cluster that have no route here, and why. */
  unroutable(): readonly Unroutable[] {
    const all = [...this.#unroutable.values(), addressConflicts(this.#nodes, this.#self)].flat();
    return sortByDst(all);
  }

  /** Destinations that are reached by another way than their pool asks for, and why. */
  detours(): readonly Unroutable[] {
    return sortByDst([...this.#detours.values()].flat());
  }

  /** What goes as it is although it should be encrypted, and why: packets of IPv6, and those to some of the other nodes. */
  unencrypted(): readonly string[] {
    if (!this.#settings.wireguardEnabled) return [];
    const isEncrypted = (name: string): boolean => this.#isEncrypted(name);
    const nodes = unencrypted(this.#self, this.#nodes, isEncrypted);
    return this.#hasIpv6 ? [IPV6_UNENCRYPTED, ...nodes] : nodes;
  }

  /** The ways to every other node, sorted by its name; none while the underlay is not known. */
  pathsToNodes(): readonly PathToNode[] {
    const here = this.#nodes.get(this.#self);
    const containerMtu = this.#containerMtu;
    if (here === undefined || containerMtu === undefined) return [];
    const context: PathsContext = {
      pools: [...this.#pools.values()],
      encapsulation: (dst) => encapsulationOf(this.#pools, dst),
      containerMtu,
      isEncrypted: (name) => this.#isEncrypted(name),
      tunnelMtu: (tunnel) => this.#mtuOf(tunnel) ?? containerMtu,
    };
    return Array.from(this.#nodes, ([name, facts]) => ({ ...facts, name }))
      .filter(({ name }) => name !== this.#self)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((there) => pathsTo(there, here, context));
  }

  /** Whether packets of this node enter a tunnel of the kind, as far as it knows. */
  isInUse(tunnel: TunnelKind): boolean {
    return this.#tunnels.values().some((tunnels) => tunnels.includes(tunnel));
  }

  /** Whether every destination inside the prefixes that needs a route has one. */
  isRoutable(cidrs: readonly Cidr[]): boolean {
    const missing = [...this.#unroutable.values()].flat();
    return !missing.some(({ dst }) => cidrs.some((cidr) => cidrContains(cidr, dst)));
  }

  /** The blocks that are the node's, and those that it has borrowed from. */
  blocksOf(name: string): readonly Cidr[] {
    return [...(this.#blocksOfNode.get(name) ?? [])];
  }

  /** The containers of this node, by the names of their endpoints. */
  endpoints(): Iterable<readonly [name: string, EndpointFacts]> {
    return this.#endpoints;
  }

  /** Whether a node has the address. */
  isNode(address: Ip): boolean {
    return this.#nodes.values().some((node) => node.address === address || node.ipv6?.address === address);
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
    return {
      ...this.#outcome.state(),
      bird: this.bird(),
      unroutable: this.unroutable(),
      detours: this.detours(),
      unencrypted: this.unencrypted(),
    };
  }

  #learn(fact: Fact): void {
    switch (fact.kind) {
      case "node":
        setOrDelete(this.#nodes, fact.name, fact.value);
        for (const name of this.#keyHolders.note(fact.name, fact.value?.wireguard?.publicKey))
          this.#invalidateNode(name);
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
        this.#staleNodes.add(fact.node);
        break;
      case "endpoint":
        setOrDelete(this.#endpoints, fact.name, fact.value);
        this.#recalculateEndpoint(fact.name);
        break;
      case "pool":
        // Nothing of a pool's status is told here, and that changes by itself.
        if (JSON.stringify(fact.value) === JSON.stringify(this.#pools.get(fact.name))) break;
        setOrDelete(this.#pools, fact.name, fact.value);
        this.#recalculateForwarding();
        this.#isBirdStale = true;
        this.#isNatStale = true;
        // Rare, and every route may travel otherwise now.
        this.#invalidate(this.#blocks.keys());
        break;
      case "bgpPeer":
        setOrDelete(this.#bgpPeers, fact.name, fact.value);
        this.#isBirdStale = true;
        break;
      case "bgpFilter":
        setOrDelete(this.#bgpFilters, fact.name, fact.value);
        this.#isBirdStale = true;
        break;
      case "settings":
        this.#settings = fact.value;
        this.#isBirdStale = true;
        this.#isNatStale = true;
        // Rare, and each of them may change anything.
        this.#invalidateTunnels();
        break;
      case "vxlanEnd":
        this.#ends = { ...this.#ends, vxlan: fact.value };
        this.#invalidateTunnels();
        break;
      case "vxlan6End":
        this.#ends = { ...this.#ends, vxlan6: fact.value };
        this.#invalidateTunnels();
        break;
      case "ipipEnd":
        // Told again and again; whoever tells it is waiting for what comes of it.
        if (JSON.stringify(fact.value) === JSON.stringify(this.#ends.ipip)) break;
        this.#ends = { ...this.#ends, ipip: fact.value };
        this.#isBirdStale = true;
        this.#invalidateTunnels();
        break;
      case "wireguardEnd":
        this.#ends = { ...this.#ends, wireguard: fact.value };
        this.#invalidateTunnels();
        break;
      case "checksumOffload":
        this.#checksumFindings.set(fact.tunnel, fact.isBroken);
        this.#staleNodes.add(this.#self);
        break;
      case "underlay":
        this.#underlayMtu = fact.mtu;
        this.#invalidateTunnels();
        break;
    }
  }

  /** Rare: a node has one end of each kind, and one underlay. */
  #invalidateTunnels(): void {
    this.#invalidate(this.#blocks.keys());
    for (const name of [this.#self, ...this.#nodes.keys()]) this.#staleNodes.add(name);
  }

  /** What depends on whether packets to the node are encrypted. */
  #invalidateNode(name: string): void {
    this.#invalidate(this.#blocksOfNode.get(name) ?? []);
    this.#staleNodes.add(name);
  }

  #learnBlock(cidr: Cidr, block: BlockFacts | undefined): void {
    for (const node of nodesOf(this.#blocks.get(cidr))) {
      this.#blocksOfNode.get(node)?.delete(cidr);
      this.#staleNodes.add(node);
    }
    setOrDelete(this.#blocks, cidr, block);
    for (const node of nodesOf(block)) {
      const blocks = this.#blocksOfNode.get(node) ?? new Set<Cidr>();
      this.#blocksOfNode.set(node, blocks.add(cidr));
      this.#staleNodes.add(node);
    }
    this.#invalidate([cidr]);
  }

  #invalidate(blocks: Iterable<Cidr>): void {
    for (const cidr of blocks) this.#stale.add(cidr);
  }

  #recalculate(cidr: Cidr): void {
    const block = this.#blocks.get(cidr);
    const outcome = block === undefined ? undefined : blockOutcome(block, this.#context());
    this.#outcome.set(`block ${cidr}`, outcome?.wanted ?? NOTHING);
    this.#noteOriginated(cidr, outcome?.originated ?? []);
    setOrDelete(this.#unroutable, cidr, orUndefined(outcome?.unroutable));
    setOrDelete(this.#detours, cidr, orUndefined(outcome?.detours));
    setOrDelete(this.#tunnels, cidr, orUndefined(outcome?.tunnels));
  }

  #noteOriginated(cidr: Cidr, originated: readonly Cidr[]): void {
    const before = this.#originated.get(cidr) ?? [];
    if (String(before) === String(originated)) return;
    this.#isBirdStale = true;
    this.#withdrawn = [...this.#withdrawn, ...before.filter((dst) => !originated.includes(dst))];
    setOrDelete(this.#originated, cidr, orUndefined(originated));
  }

  /** A node forwards IPv6 as long as there is something that needs it: routers' announcements mean something else to one that does. */
  #recalculateForwarding(): void {
    this.#outcome.set("ipv6", this.#hasIpv6 ? { sysctl: [ipv6Forwarding()] } : NOTHING);
  }

  #recalculateEndpoint(name: string): void {
    const endpoint = this.#endpoints.get(name);
    const wanted = endpoint === undefined ? NOTHING : endpointContributed(endpoint, this.#containerMtu);
    this.#outcome.set(`endpoint ${name}`, wanted);
  }

  /** Rare: it follows the underlay, the settings, and which tunnels there are. */
  #recalculateMtu(): void {
    const mtu = this.#underlayMtu && containerMtu(this.#tunnelsInUse(), this.#underlayMtu, this.#settings);
    if (mtu === this.#containerMtu) return;
    this.#containerMtu = mtu;
    for (const name of this.#endpoints.keys()) this.#recalculateEndpoint(name);
  }

  get #hasIpv6(): boolean {
    return this.#pools.values().some(({ cidr }) => cidrFamily(cidr) === 6);
  }

  #tunnelsInUse(): ReadonlySet<RoomFor> {
    return tunnelsInUse(this.#ends, this.#pools.values(), this.#settings);
  }

  /** A person knows better. */
  #isChecksumOffloadBroken(tunnel: VxlanKind): boolean | undefined {
    return this.#settings.isChecksumOffloadBroken ?? this.#checksumFindings.get(tunnel);
  }

  #mtuOf(tunnel: RoomFor): number | undefined {
    return this.#underlayMtu && tunnelMtu(tunnel, this.#underlayMtu, this.#settings);
  }

  /** Rare: it follows pools and settings. */
  #recalculateNat(): void {
    if (!this.#isNatStale) return;
    this.#isNatStale = false;
    this.#outcome.set("nat", ownNat(this.#pools.values(), this.#settings));
    const isSparing = sparesHosts(this.#pools.values(), this.#settings);
    if (isSparing === this.#isSparingHosts) return;
    this.#isSparingHosts = isSparing;
    for (const name of this.#nodes.keys()) this.#staleNodes.add(name);
  }

  #natHost(name: string): Contributed {
    const node = this.#nodes.get(name);
    return !this.#isSparingHosts || node === undefined ? NOTHING : natHost(node);
  }

  /** This node's own ends of tunnels, or what they, and outgoing translation, need to know of another node. */
  #recalculateNode(name: string): void {
    this.#outcome.set(`nat ${name}`, this.#natHost(name));
    for (const [part, wanted] of Object.entries(tunnelParts(name, this.#tunnelContext())))
      this.#outcome.set(`${part} ${name}`, wanted);
  }

  #tunnelContext(): TunnelContext {
    return {
      self: this.#self,
      ends: this.#ends,
      settings: this.#settings,
      isChecksumOffloadBroken: (tunnel) => this.#isChecksumOffloadBroken(tunnel) ?? false,
      mtuOf: (tunnel) => this.#mtuOf(tunnel),
      node: (node) => this.#nodes.get(node),
      hasOwnKey: (node) => this.#keyHolders.isSole(node),
      heldBy: (node) => this.#heldBy(node),
    };
  }

  #heldBy(name: string): readonly Cidr[] {
    const blocks = [...(this.#blocksOfNode.get(name) ?? [])].flatMap((cidr) => this.#blocks.get(cidr) ?? []);
    const holdings = blocks.flatMap((block) => holdingsOf(block, this.#isConfirmed));
    // The tunnel has IPv4 addresses alone.
    return holdings.filter(({ node, dst }) => node === name && cidrFamily(dst) === 4).map(({ dst }) => dst);
  }

  /** This node sends nothing encrypted before the others can know its key, and nothing any more once it is not to. */
  #isEncrypted(name: string): boolean {
    const hasEnd = this.#ends.wireguard !== undefined && this.#nodes.get(this.#self)?.wireguard !== undefined;
    return this.#settings.wireguardEnabled && hasEnd && name !== this.#self && this.#keyHolders.isSole(name);
  }

  readonly #isConfirmed = (node: string, block: Cidr): boolean => this.#confirmed.has(claimKey(node, block));

  #context(): BlockContext {
    return {
      self: this.#self,
      routeSource: this.#settings.routeSource,
      node: (name) => this.#nodes.get(name),
      encapsulation: (dst) => encapsulationOf(this.#pools, dst),
      ipipEnd: this.#ends.ipip,
      vxlan6Ip: this.#ends.vxlan6?.ip,
      ipipMtu: this.#mtuOf("ipip"),
      isConfirmed: this.#isConfirmed,
      isEncrypted: (name) => this.#isEncrypted(name),
    };
  }
}

/** An address in no pool travels as it is. Where pools overlap by mistake, every node has to come to the same: the closest pool counts. */
function encapsulationOf(pools: ReadonlyMap<string, PoolFacts>, dst: Cidr): Encapsulation {
  let best: readonly [string, PoolFacts] | undefined;
  for (const entry of pools)
    if (cidrContains(entry[1].cidr, dst) && (best === undefined || isCloser(entry, best))) best = entry;
  return best?.[1].encapsulation ?? { kind: "none" };
}

function isCloser(
  [name, { cidr }]: readonly [string, PoolFacts],
  [otherName, other]: readonly [string, PoolFacts],
): boolean {
  const [length, otherLength] = [prefixLengthOf(cidr), prefixLengthOf(other.cidr)];
  return length > otherLength || (length === otherLength && name < otherName);
}

function nodesOf(block: BlockFacts | undefined): readonly string[] {
  if (block === undefined) return [];
  return [...(block.node === undefined ? [] : [block.node]), ...block.strays.map((stray) => stray.node)];
}

function orUndefined<T>(list: readonly T[] = []): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function sortByDst(list: readonly Unroutable[]): readonly Unroutable[] {
  return list.toSorted((a, b) => (a.dst < b.dst ? -1 : 1));
}

function claimKey(node: string, block: Cidr): string {
  return `${node} ${block}`;
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
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
