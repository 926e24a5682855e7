// SPDX-License-Identifier: Apache-2.0
import { type LinkCounters, listLinkCounters } from "../../dataplane/netlink/link-counters.ts";
import { type Rtnetlink, openRtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import type { Clock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import type { Log } from "../../system/log.ts";
import { mergeCounters } from "../../web/view/counters.ts";
import type { EventLog } from "../../web/view/event-log.ts";
import type { Narrated } from "../../web/view/narrate.ts";
import type { LiveView } from "../../web/view/source.ts";
import type { Item, View } from "../../web/view/view.ts";
import type { AgentState } from "../status.ts";
import type { ViewParts } from "./own-part.ts";
import { renderView } from "./render-view.ts";

const COUNTERS_MS = 1000;

export interface ViewCollaborators {
  readonly parts: ViewParts;
  readonly state: () => AgentState;
  /** Checked whenever anything may have changed that these tell. */
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface FollowedViewOptions {
  /** The node's own part as it is now; the very same one as long as nothing may have changed. */
  readonly own: () => Narrated;
  readonly events: EventLog;
}

type Structure = Omit<View, "at" | "counters">;

/** The view while somebody follows it: counters are read each second, by a socket of their own, so that nothing waits behind them. */
export class FollowedView implements LiveView {
  readonly log: EventLog;
  readonly #collaborators: ViewCollaborators;
  readonly #own: () => Narrated;
  readonly #rtnetlink: Rtnetlink = openRtnetlink();
  readonly #closing = new AbortController();
  readonly #counted = new Conditions();
  #counting: Promise<void> = Promise.resolve();
  #counters: View["counters"] = [];
  #last: { readonly own: Narrated; readonly structure: Structure } | undefined;
  /** As of what was read last. */
  #readAt = { checks: -1, counters: this.#counters };

  constructor(collaborators: ViewCollaborators, { own, events }: FollowedViewOptions) {
    this.log = events;
    this.#collaborators = collaborators;
    this.#own = own;
  }

  /** Reads the first counters. Rejects with `KernelError`. */
  async start(): Promise<void> {
    await this.#count();
    this.#counting = this.#goOn().catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#collaborators.log.warn("Cannot read counters", { error });
    });
  }

  read(): View {
    const { conditions, clock } = this.#collaborators;
    this.#readAt = { checks: conditions.checks, counters: this.#counters };
    return { ...this.#structure(), at: clock.now(), counters: this.#counters };
  }

  async changed(signal: AbortSignal): Promise<void> {
    const { conditions } = this.#collaborators;
    const { checks, counters } = this.#readAt;
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    try {
      await Promise.race([
        conditions.until(() => conditions.checks !== checks, either),
        this.#counted.until(() => this.#counters !== counters, either),
      ]);
    } finally {
      done.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#counting;
    await this.#rtnetlink[Symbol.asyncDispose]();
  }

  #structure(): Structure {
    const own = this.#own();
    if (this.#last?.own !== own) this.#last = { own, structure: renderView(this.#collaborators.parts, own) };
    return this.#last.structure;
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await this.#collaborators.clock.sleep(COUNTERS_MS, { signal });
      await this.#count();
    }
  }

  async #count(): Promise<void> {
    const { signal } = this.#closing;
    const all = await this.#rtnetlink.list(listLinkCounters, { signal });
    this.#counters = mergeCounters(this.#counters, this.#itemsOf(all));
    this.#counted.check();
  }

  /** Of the interfaces that the view names. */
  #itemsOf(all: readonly LinkCounters[]): readonly Item<"counters">[] {
    const { machines, containers, tunnels } = this.#own();
    const { nodeName, dataplane } = this.#collaborators.parts;
    const names = new Set([
      ...machines.flatMap(({ ports }) => ports.map((port) => port.interface)),
      ...containers.map((container) => container.interface),
      ...tunnels.map((tunnel) => tunnel.interface),
    ]);
    return all.flatMap(({ ifIndex, ...counters }) => {
      const name = dataplane.link({ index: ifIndex })?.name;
      return name !== undefined && names.has(name) ? [{ id: `${nodeName}/${name}`, ...counters }] : [];
    });
  }
}
