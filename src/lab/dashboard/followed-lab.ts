// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import { mergeCounters } from "../../web/view/counters.ts";
import type { LogEvent, View } from "../../web/view/view.ts";
import type { Layout } from "../layout.ts";
import type { LabState } from "../state.ts";
import { planUnderlay } from "../underlay-plan.ts";
import { AgentFollower } from "./agent-follower.ts";
import { type LabInputs, joinViews } from "./join.ts";
import { LinkWatch } from "./link-watch.ts";

export interface FollowedLabOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly onChange: () => void;
  readonly onEvent: (event: LogEvent) => void;
}

/** Everything of one lab that tells of itself, from when it is made until it is disposed; another lab of the name is another. */
export class FollowedLab implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #agents: ReadonlyMap<string, AgentFollower>;
  /** machine -> its interfaces */
  readonly #links: ReadonlyMap<string, LinkWatch>;
  readonly #conditions = new Conditions();
  #state: LabState;
  #counters: View["counters"] = [];

  constructor(state: LabState, { layout, clock, onChange, onEvent }: FollowedLabOptions) {
    this.#state = state;
    const note = (): void => {
      onChange();
      this.#conditions.check();
    };
    const { hosts } = state.topology;
    this.#agents = new Map(
      hosts.map(({ name }) => {
        const socketPath = layout.host(name).agentSocket;
        return [name, this.#stack.use(new AgentFollower({ socketPath, clock, onChange: note, onEvent }))];
      }),
    );
    this.#links = new Map(
      planUnderlay(state.topology).map(({ name }) => {
        const netnsPath = layout.namespacePath(name);
        return [name, this.#stack.use(new LinkWatch({ netnsPath, clock, onChange: note }))];
      }),
    );
  }

  get id(): string {
    return this.#state.id;
  }

  /** The record has changed, of containers for the most part. */
  update(state: LabState): void {
    this.#state = state;
  }

  /** Resolves once every agent has answered, or is known not to, and every machine's interfaces are known; rejects with the signal's reason. */
  async answered(signal: AbortSignal): Promise<void> {
    const isWhole = (): boolean =>
      this.#agents.values().every(({ isAnswering }) => isAnswering !== undefined) &&
      this.#links.values().every(({ hasLooked }) => hasLooked);
    await this.#conditions.until(isWhole, signal);
  }

  /** Reads counters of the machines that no agent reads them of; tells whether any has changed. */
  async count(): Promise<boolean> {
    const before = this.#counters;
    const others = planUnderlay(this.#state.topology).filter(({ name }) => !this.#agents.has(name));
    const read = others.map(async ({ name, ports }) => {
      const counters = await this.#links.get(name)?.counters();
      return ports.flatMap(({ nodeEnd }) => {
        const found = counters?.get(nodeEnd);
        return found === undefined ? [] : [{ id: `${name}/${nodeEnd}`, ...found }];
      });
    });
    this.#counters = mergeCounters(before, (await Promise.all(read)).flat());
    return this.#counters !== before;
  }

  read(): ReturnType<typeof joinViews> {
    const { topology, containers } = this.#state;
    const inputs: LabInputs = {
      topology,
      containers,
      agents: new Map(
        [...this.#agents].map(([name, { view, isAnswering = false }]) => [name, { view, isAnswering }]),
      ),
      isUp: (machine, ifName) => this.#links.get(machine)?.isUp(ifName) ?? null,
      counters: this.#counters,
    };
    return joinViews(inputs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
