// SPDX-License-Identifier: Apache-2.0
import { type FollowEvent, type FollowState, follow } from "../datastore/follow.ts";
import type { Change, Revision, Store } from "../datastore/store.ts";
import type { Fact } from "../desired/facts.ts";
import { affinityPrefix, blockPrefix, resourcePrefix } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import { workloadEndpointPrefix } from "../model/workload-endpoint.ts";
import type { Clock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import { type Log, silentLog } from "../system/log.ts";
import type { Catalog } from "./catalog.ts";

/** The parts of the datastore that the agent follows. */
export interface Cluster extends AsyncDisposable {
  /** Resolves once everything has been listed; rejects with the signal's reason. */
  synced(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resolves once the endpoints of this node are known as of `revision` or later. */
  endpointsSeen(revision: Revision, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Why the datastore cannot be reached, if it cannot. */
  readonly trouble: string | undefined;
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
  /** Takes in every entry, and says what follows. */
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Log;
}

export function followCluster(collaborators: Collaborators, options: ClusterOptions): Cluster {
  return new FollowedCluster(collaborators, options);
}

class FollowedCluster implements Cluster {
  readonly #collaborators: Collaborators;
  readonly #options: ClusterOptions;
  readonly #abort = new AbortController();
  readonly #conditions = new Conditions();
  /** prefix -> the revision it is known as of */
  readonly #revisions = new Map<string, Revision>();
  /** prefix -> why it cannot be followed now */
  readonly #troubles = new Map<string, string>();
  readonly #endpointPrefix: string;
  readonly #prefixes: readonly string[];
  readonly #tasks: readonly Promise<void>[];

  constructor(collaborators: Collaborators, options: ClusterOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#endpointPrefix =
      resourcePrefix("WorkloadEndpoint", options.namespace) + workloadEndpointPrefix(options.nodeName);
    this.#prefixes = [
      resourcePrefix("Node"),
      resourcePrefix("IPPool"),
      resourcePrefix("IPReservation"),
      resourcePrefix("IPAMConfig"),
      resourcePrefix("FelixConfiguration"),
      resourcePrefix("BGPConfiguration"),
      resourcePrefix("BGPPeer"),
      resourcePrefix("BGPFilter"),
      this.#endpointPrefix,
      blockPrefix(4),
      blockPrefix(6),
      affinityPrefix(),
    ];
    this.#tasks = this.#prefixes.map((prefix) => this.#follow(prefix));
  }

  get trouble(): string | undefined {
    return [...this.#troubles.values()][0];
  }

  async synced({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#conditions.until(() => this.#revisions.size === this.#prefixes.length, signal);
  }

  async endpointsSeen(revision: Revision, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#conditions.until(() => (this.#revisions.get(this.#endpointPrefix) ?? 0) >= revision, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#tasks);
  }

  async #follow(prefix: string): Promise<void> {
    const { store, catalog, clock } = this.#collaborators;
    const { signal } = this.#abort;
    const onState = (state: FollowState): void => {
      this.#noteState(prefix, state);
    };
    for await (const event of follow(store, prefix, { signal, clock, log: silentLog, onState })) {
      const facts = changesOf(event).flatMap((change) =>
        change.kind === "put"
          ? catalog.learn(change.entry.key, change.entry.value)
          : catalog.learn(change.key, undefined),
      );
      this.#options.onFacts(facts);
      this.#revisions.set(prefix, event.revision);
      this.#conditions.check();
    }
  }

  /** All prefixes are lost and found together, so only the first and the last are worth a line. */
  #noteState(prefix: string, state: FollowState): void {
    const { log } = this.#collaborators;
    const before = this.trouble;
    if (state.kind === "connected") this.#troubles.delete(prefix);
    else this.#troubles.set(prefix, state.error.message);
    if (before === undefined && this.trouble !== undefined) {
      log.warn("Lost the datastore; what was last known stays", { reason: this.trouble });
    } else if (before !== undefined && this.trouble === undefined) {
      log.info("Found the datastore again");
    }
    this.#options.onState();
  }
}

function changesOf(event: FollowEvent): readonly Change[] {
  return event.kind === "snapshot" ? event.entries.map((entry) => ({ kind: "put", entry })) : event.changes;
}
