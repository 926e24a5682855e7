// SPDX-License-Identifier: Apache-2.0
import type { Fact } from "../desired/facts.ts";
import { countInUse } from "../ipam/block.ts";
import type { BGPConfiguration } from "../model/bgp-configuration.ts";
import { type FelixConfiguration, felixNameOf } from "../model/felix-configuration.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { parseAffinity } from "../model/ipam-affinity.ts";
import { type IpamBlock, parseBlock } from "../model/ipam-block.ts";
import type { IPAMConfig } from "../model/ipam-config.ts";
import { type Parsed, formatIssues } from "../model/issue.ts";
import { type ResourceId, parseAffinityKey, parseBlockKey, parseResourceKey } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import type { Node } from "../model/node.ts";
import { type Kind, type Resources, parseStoredResource } from "../model/resource.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Log } from "../system/log.ts";
import { blockFacts, endpointFacts, nodeFacts, poolFacts, settingsOf } from "./facts.ts";

/** How much of a block is in use. */
export interface BlockUse {
  readonly cidr: Cidr;
  /** The node that it is affine to, if any. */
  readonly node: string | undefined;
  /** How many addresses it has, how many of them somebody holds, and how many can be given out; what remains cools down. */
  readonly total: number;
  readonly inUse: number;
  readonly free: number;
}

/** What a stored text says; nothing is to be learnt from one that cannot be read. */
type Reading<T> = { readonly kind: "read"; readonly value: T | undefined } | { readonly kind: "unreadable" };

const NOTHING: readonly Fact[] = [];

/** Reads entries of the datastore: gives the facts in them, and keeps what the agent itself asks for later. */
export class Catalog {
  readonly #log: Log;
  readonly #nodeName: NodeName;
  /** key -> the issues of its value */
  readonly #unreadable = new Map<string, string>();
  /** key -> the fields of its value that are not known here */
  readonly #ignored = new Map<string, string>();
  readonly #pools = new Map<string, IPPool>();
  /** node -> the network that it is on */
  readonly #networks = new Map<string, Cidr>();
  #poolRevision = 0;
  readonly #blocks = new Map<Cidr, BlockUse>();
  readonly #reservations = new Map<string, readonly Cidr[]>();
  #felix: FelixConfiguration | undefined;
  /** Of this node alone. */
  #ownFelix: FelixConfiguration | undefined;
  #bgp: BGPConfiguration | undefined;
  #ipamConfig: IPAMConfig | undefined;
  #self: Node | undefined;

  constructor(log: Log, nodeName: NodeName) {
    this.#log = log;
    this.#nodeName = nodeName;
  }

  /** What is stored and cannot be read, in words; the last good value of each holds. */
  get unreadable(): readonly string[] {
    return Array.from(
      this.#unreadable,
      ([key, issues]) => `datastore: cannot use what is stored under "${key}": ${issues}`,
    );
  }

  /** Fields that are stored and change nothing here, in words: a newer version may know them, or nobody does. */
  get ignored(): readonly string[] {
    return [...this.#ignored.values()];
  }

  get pools(): readonly IPPool[] {
    return [...this.#pools.values()];
  }

  /** The blocks of the whole cluster. */
  get blocks(): Iterable<BlockUse> {
    return this.#blocks.values();
  }

  /** Names of pools that are stored and cannot be read, with what is wrong with each. */
  get unreadablePools(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [key, issues] of this.#unreadable) {
      const id = parseResourceKey(key);
      if (id?.kind === "IPPool") found.set(id.name, issues);
    }
    return found;
  }

  /** The networks that nodes are on, each with the first of these by name. */
  get networks(): ReadonlyMap<Cidr, string> {
    const found = new Map<Cidr, string>();
    for (const [node, cidr] of this.#networks) {
      const other = found.get(cidr);
      if (other === undefined || node < other) found.set(cidr, node);
    }
    return found;
  }

  /** Grows with whatever is learnt that a judgement of the pools depends on. */
  get poolRevision(): number {
    return this.#poolRevision;
  }

  get ipamConfig(): IPAMConfig | undefined {
    return this.#ipamConfig;
  }

  /** Prefixes that no address is given out from. */
  get reservations(): readonly Cidr[] {
    return [...this.#reservations.values()].flat();
  }

  /** This node's own resource. */
  get self(): Node | undefined {
    return this.#self;
  }

  /** What follows from the entry, or with `undefined` from its being gone. */
  learn(key: string, text: string | undefined): readonly Fact[] {
    const id = parseResourceKey(key);
    if (id !== undefined) return this.#learnResource(key, id, text);
    const block = parseBlockKey(key);
    if (block !== undefined) return this.#learnBlock(key, block, text);
    const claim = parseAffinityKey(key);
    return claim === undefined ? NOTHING : this.#learnAffinity(key, claim, text);
  }

  #learnResource(key: string, { kind, name }: ResourceId, text: string | undefined): readonly Fact[] {
    switch (kind) {
      case "Node":
        return this.#with(kind, key, text, (node) => {
          if (name === this.#nodeName) this.#self = node;
          const value = node && nodeFacts(node);
          this.#noteNetwork(name, value?.subnet);
          return [{ kind: "node", name, value }];
        });
      case "IPPool":
        this.#poolRevision++;
        return this.#with(kind, key, text, (pool) => {
          if (pool === undefined) this.#pools.delete(name);
          else this.#pools.set(name, pool);
          return [{ kind: "pool", name, value: pool && poolFacts(pool) }];
        });
      case "WorkloadEndpoint":
        return this.#with(kind, key, text, (endpoint) => {
          const isHere = endpoint?.spec.node === this.#nodeName;
          return [{ kind: "endpoint", name, value: isHere ? endpointFacts(endpoint) : undefined }];
        });
      case "IPReservation":
        return this.#with(kind, key, text, (reservation) => {
          this.#reservations.set(name, reservation?.spec.reservedCIDRs ?? []);
          return NOTHING;
        });
      case "BGPPeer":
        return this.#with(kind, key, text, (peer) => [{ kind: "bgpPeer", name, value: peer?.spec }]);
      case "BGPFilter":
        return this.#with(kind, key, text, (filter) => [{ kind: "bgpFilter", name, value: filter?.spec }]);
      case "FelixConfiguration":
        return this.#learnFelix(key, name, text);
      case "IPAMConfig":
      case "BGPConfiguration":
        return name === "default" ? this.#learnSetting(key, kind, text) : NOTHING;
    }
  }

  #noteNetwork(node: string, cidr: Cidr | undefined): void {
    if (this.#networks.get(node) === cidr) return;
    this.#poolRevision++;
    if (cidr === undefined) this.#networks.delete(node);
    else this.#networks.set(node, cidr);
  }

  #learnSetting(
    key: string,
    kind: "IPAMConfig" | "BGPConfiguration",
    text: string | undefined,
  ): readonly Fact[] {
    switch (kind) {
      case "IPAMConfig":
        return this.#with(kind, key, text, (config) => {
          this.#ipamConfig = config;
          return NOTHING;
        });
      case "BGPConfiguration":
        return this.#with(kind, key, text, (bgp) => {
          this.#bgp = bgp;
          return [this.#settings()];
        });
    }
  }

  /** Those of other nodes are theirs to read. */
  #learnFelix(key: string, name: string, text: string | undefined): readonly Fact[] {
    const isOwn = name === felixNameOf(this.#nodeName);
    if (name !== "default" && !isOwn) return NOTHING;
    return this.#with("FelixConfiguration", key, text, (felix) => {
      if (isOwn) this.#ownFelix = felix;
      else this.#felix = felix;
      return [this.#settings()];
    });
  }

  #settings(): Fact {
    return { kind: "settings", value: settingsOf(this.#felix, this.#bgp, this.#ownFelix) };
  }

  #learnBlock(key: string, cidr: Cidr, text: string | undefined): readonly Fact[] {
    const reading = this.#read(key, text, parseBlock);
    if (reading.kind === "unreadable") return NOTHING;
    const block = reading.value?.deleted === true ? undefined : reading.value;
    const value = block && blockFacts(block);
    if (block === undefined) this.#blocks.delete(cidr);
    else this.#blocks.set(cidr, { ...useOf(block), node: value?.node });
    return [{ kind: "block", cidr, value }];
  }

  #learnAffinity(
    key: string,
    claim: { readonly node: NodeName; readonly cidr: Cidr },
    text: string | undefined,
  ): readonly Fact[] {
    const reading = this.#read(key, text, parseAffinity);
    if (reading.kind === "unreadable") return NOTHING;
    const isConfirmed = reading.value?.state === "confirmed" && !reading.value.deleted;
    return [{ kind: "affinity", ...claim, value: reading.value && isConfirmed }];
  }

  #with<K extends Kind>(
    kind: K,
    key: string,
    text: string | undefined,
    learn: (value: Resources[K] | undefined) => readonly Fact[],
  ): readonly Fact[] {
    this.#ignored.delete(key);
    const reading = this.#read(key, text, (stored) => {
      const parsed = parseStoredResource(kind, parseJson(stored));
      if (parsed.kind === "ok" && parsed.ignored.length > 0)
        this.#ignored.set(key, `datastore: under "${key}", ${formatIssues(parsed.ignored)}`);
      return parsed;
    });
    return reading.kind === "read" ? learn(reading.value) : NOTHING;
  }

  /** One bad write must not undo what holds: an unreadable value is told, and otherwise as if it had not been written. */
  #read<T>(key: string, text: string | undefined, parse: (text: string) => Parsed<T>): Reading<T> {
    const parsed = text === undefined ? { kind: "ok" as const, value: undefined } : parse(text);
    if (parsed.kind === "ok") {
      this.#unreadable.delete(key);
      return { kind: "read", value: parsed.value };
    }
    const issues = formatIssues(parsed.issues);
    this.#unreadable.set(key, issues);
    this.#log.warn("Cannot use what is stored; the last good value holds", { key, issues });
    return { kind: "unreadable" };
  }
}

function useOf(block: IpamBlock): Omit<BlockUse, "node"> {
  const { cidr, allocations, unallocated } = block;
  return { cidr, total: allocations.length, inUse: countInUse(block), free: unallocated.length };
}

/** Text that is no JSON becomes a value that no schema takes. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
