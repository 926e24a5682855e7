// SPDX-License-Identifier: Apache-2.0
import { type FollowEvent, type FollowState, follow } from "../datastore/follow.ts";
import type { Change, Revision, Store } from "../datastore/store.ts";
import type { Fact } from "../desired/facts.ts";
import type { BGPConfiguration } from "../model/bgp-configuration.ts";
import type { FelixConfiguration } from "../model/felix-configuration.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { parseAffinity } from "../model/ipam-affinity.ts";
import { parseBlock } from "../model/ipam-block.ts";
import type { IPAMConfig } from "../model/ipam-config.ts";
import { type Parsed, formatIssues } from "../model/issue.ts";
import {
  affinityPrefix,
  blockPrefix,
  parseAffinityKey,
  parseBlockKey,
  parseResourceKey,
  resourcePrefix,
} from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import type { Node } from "../model/node.ts";
import { type Kind, type Resources, parseStoredResource } from "../model/resource.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Clock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import { type Log, silentLog } from "../system/log.ts";
import { blockFacts, endpointFacts, nodeFacts, poolFacts, settingsOf } from "./facts.ts";

/** What of the cluster the agent follows, as it stands in the datastore. */
export interface Cluster extends AsyncDisposable {
  /** Resolves once everything has been listed; rejects with the signal's reason. */
  synced(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves once the endpoints of this node are known as of `revision` or later. */
  endpointsSeen(revision: Revision, options: { readonly signal: AbortSignal }): Promise<void>;
  readonly isSynced: boolean;
  /** Why the datastore cannot be reached, if it cannot. */
  readonly trouble: string | undefined;
  /** What is stored and cannot be read, in words; the last good value of each holds. */
  readonly unreadable: readonly string[];
  readonly pools: readonly IPPool[];
  readonly ipamConfig: IPAMConfig | undefined;
  /** Prefixes that no address is given out from. */
  readonly reservations: readonly Cidr[];
  /** This node's own resource. */
  readonly self: Node | undefined;
}

export interface ClusterOptions {
  readonly nodeName: NodeName;
  /** Endpoints of this namespace are followed: containers without an orchestrator live here. */
  readonly namespace: string;
  /** Takes what has become known, in order. */
  readonly onFacts: (facts: readonly Fact[]) => void;
  /** Called when {@link Cluster.trouble} may have changed. */
  readonly onState: () => void;
}

interface Collaborators {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** One prefix of the datastore, and what its entries mean: `text` is `undefined` where there is none any more. */
interface Source {
  readonly prefix: string;
  learn(key: string, text: string | undefined): readonly Fact[];
}

/** What a stored text says; nothing is to be learnt from one that cannot be read. */
type Reading<T> = { readonly kind: "read"; readonly value: T | undefined } | { readonly kind: "unreadable" };

export function followCluster(collaborators: Collaborators, options: ClusterOptions): Cluster {
  return new FollowedCluster(collaborators, options);
}

class FollowedCluster implements Cluster {
  readonly #log: Log;
  readonly #options: ClusterOptions;
  readonly #abort = new AbortController();
  readonly #conditions = new Conditions();
  readonly #tasks: readonly Promise<void>[];
  /** prefix -> the revision it is known as of */
  readonly #revisions = new Map<string, Revision>();
  /** prefix -> why it cannot be followed now */
  readonly #troubles = new Map<string, string>();
  /** key -> what is wrong with its value */
  readonly #unreadable = new Map<string, string>();
  readonly #sources: readonly Source[];
  readonly #endpointPrefix: string;
  readonly #pools = new Map<string, IPPool>();
  readonly #reservations = new Map<string, readonly Cidr[]>();
  #felix: FelixConfiguration | undefined;
  #bgp: BGPConfiguration | undefined;
  #ipamConfig: IPAMConfig | undefined;
  #self: Node | undefined;

  constructor({ store, clock, log }: Collaborators, options: ClusterOptions) {
    this.#log = log;
    this.#options = options;
    // Names start with the node's name, its hyphens doubled; a longer node name may share the start, so spec.node decides.
    const name = options.nodeName.replaceAll("-", "--");
    this.#endpointPrefix = `${resourcePrefix("WorkloadEndpoint", options.namespace)}${name}-`;
    this.#sources = this.#createSources();
    this.#tasks = this.#sources.map((source) => this.#follow(source, store, clock));
  }

  get isSynced(): boolean {
    return this.#revisions.size === this.#sources.length;
  }

  get trouble(): string | undefined {
    return [...this.#troubles.values()][0];
  }

  get unreadable(): readonly string[] {
    return [...this.#unreadable.values()];
  }

  get pools(): readonly IPPool[] {
    return [...this.#pools.values()];
  }

  get ipamConfig(): IPAMConfig | undefined {
    return this.#ipamConfig;
  }

  get reservations(): readonly Cidr[] {
    return [...this.#reservations.values()].flat();
  }

  get self(): Node | undefined {
    return this.#self;
  }

  async synced({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#conditions.until(() => this.isSynced, signal);
  }

  async endpointsSeen(revision: Revision, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#conditions.until(() => (this.#revisions.get(this.#endpointPrefix) ?? 0) >= revision, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#tasks);
  }

  #createSources(): readonly Source[] {
    return [
      this.#resources("Node", (name, node) => this.#learnNode(name, node)),
      this.#resources("IPPool", (name, pool) => this.#learnPool(name, pool)),
      this.#resources("IPAMConfig", (name, config) => {
        if (name === "default") this.#ipamConfig = config;
        return [];
      }),
      this.#resources("IPReservation", (name, reservation) => {
        this.#reservations.set(name, reservation?.spec.reservedCIDRs ?? []);
        return [];
      }),
      this.#resources("FelixConfiguration", (name, felix) => {
        if (name !== "default") return [];
        this.#felix = felix;
        return [this.#settings()];
      }),
      this.#resources("BGPConfiguration", (name, bgp) => {
        if (name !== "default") return [];
        this.#bgp = bgp;
        return [this.#settings()];
      }),
      {
        ...this.#resources("WorkloadEndpoint", (name, endpoint) => {
          const isHere = endpoint?.spec.node === this.#options.nodeName;
          return [{ kind: "endpoint", name, value: isHere ? endpointFacts(endpoint) : undefined }];
        }),
        prefix: this.#endpointPrefix,
      },
      { prefix: blockPrefix(4), learn: (key, text) => this.#learnBlock(key, text) },
      { prefix: affinityPrefix(), learn: (key, text) => this.#learnAffinity(key, text) },
    ];
  }

  #resources<K extends Kind>(
    kind: K,
    learn: (name: string, value: Resources[K] | undefined) => readonly Fact[],
  ): Source {
    return {
      prefix: resourcePrefix(kind),
      learn: (key, text) => {
        const name = parseResourceKey(key)?.name;
        if (name === undefined) return [];
        const reading = this.#read(key, text, (stored) => parseStoredResource(kind, parseJson(stored)));
        return reading.kind === "read" ? learn(name, reading.value) : [];
      },
    };
  }

  #learnNode(name: string, node: Node | undefined): readonly Fact[] {
    if (name === this.#options.nodeName) this.#self = node;
    return [{ kind: "node", name, value: node && nodeFacts(node) }];
  }

  #learnPool(name: string, pool: IPPool | undefined): readonly Fact[] {
    if (pool === undefined) this.#pools.delete(name);
    else this.#pools.set(name, pool);
    return [{ kind: "pool", name, value: pool && poolFacts(pool) }];
  }

  #learnBlock(key: string, text: string | undefined): readonly Fact[] {
    const cidr = parseBlockKey(key);
    if (cidr === undefined) return [];
    const reading = this.#read(key, text, parseBlock);
    if (reading.kind === "unreadable") return [];
    const block = reading.value?.deleted === true ? undefined : reading.value;
    return [{ kind: "block", cidr, value: block && blockFacts(block) }];
  }

  #learnAffinity(key: string, text: string | undefined): readonly Fact[] {
    const claim = parseAffinityKey(key);
    if (claim === undefined) return [];
    const reading = this.#read(key, text, parseAffinity);
    if (reading.kind === "unreadable") return [];
    const isConfirmed = reading.value?.state === "confirmed" && !reading.value.deleted;
    return [{ kind: "affinity", ...claim, value: reading.value && isConfirmed }];
  }

  #settings(): Fact {
    return { kind: "settings", value: settingsOf(this.#felix, this.#bgp) };
  }

  /** One bad write must not undo what holds: an unreadable value is told, and otherwise as if it had not been written. */
  #read<T>(key: string, text: string | undefined, parse: (text: string) => Parsed<T>): Reading<T> {
    const parsed = text === undefined ? { kind: "ok" as const, value: undefined } : parse(text);
    if (parsed.kind === "ok") {
      this.#unreadable.delete(key);
      return { kind: "read", value: parsed.value };
    }
    const issues = formatIssues(parsed.issues);
    this.#unreadable.set(key, `datastore: cannot use what is stored under "${key}": ${issues}`);
    this.#log.warn("Cannot use what is stored; the last good value holds", { key, issues });
    return { kind: "unreadable" };
  }

  async #follow(source: Source, store: Store, clock: Clock): Promise<void> {
    const { signal } = this.#abort;
    const onState = (state: FollowState): void => {
      this.#noteState(source.prefix, state);
    };
    for await (const event of follow(store, source.prefix, { signal, clock, log: silentLog, onState })) {
      const facts = changesOf(event).flatMap((change) =>
        change.kind === "put"
          ? source.learn(change.entry.key, change.entry.value)
          : source.learn(change.key, undefined),
      );
      this.#options.onFacts(facts);
      this.#revisions.set(source.prefix, event.revision);
      this.#conditions.check();
    }
  }

  /** All prefixes are lost and found together, so only the first and the last are worth a line. */
  #noteState(prefix: string, state: FollowState): void {
    const before = this.trouble;
    if (state.kind === "connected") this.#troubles.delete(prefix);
    else this.#troubles.set(prefix, state.error.message);
    if (before === undefined && this.trouble !== undefined) {
      this.#log.warn("Lost the datastore; what was last known stays", { cause: this.trouble });
    } else if (before !== undefined && this.trouble === undefined) {
      this.#log.info("Found the datastore again");
    }
    this.#options.onState();
  }
}

function changesOf(event: FollowEvent): readonly Change[] {
  return event.kind === "snapshot" ? event.entries.map((entry) => ({ kind: "put", entry })) : event.changes;
}

/** Text that is no JSON becomes a value that no schema takes. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
