// SPDX-License-Identifier: Apache-2.0
import { EventLog } from "../../web/view/event-log.ts";
import { type Line, type Narrated, narrate } from "../../web/view/narrate.ts";
import type { LiveView } from "../../web/view/source.ts";
import { FollowedView, type ViewCollaborators } from "./followed-view.ts";
import { renderOwnPart } from "./own-part.ts";

/** How often the log is kept up while nobody follows. */
const UNFOLLOWED_MS = 2000;

/** The agent's view of its node, and the log of what has happened there. */
export class ViewSource implements AsyncDisposable {
  readonly #collaborators: ViewCollaborators;
  readonly #stopping = new AbortController();
  readonly #events = new EventLog();
  readonly #recording: Promise<void>;
  /** What the ids of events begin with: those of an agent before this one were others. */
  readonly #prefix: string;
  /** As of how many checks of the conditions. */
  #own: { readonly checks: number; readonly part: Narrated } | undefined;

  /** What the log has told of. */
  #told: Narrated | undefined;

  constructor(collaborators: ViewCollaborators) {
    this.#collaborators = collaborators;
    this.#prefix = collaborators.clock.now().toString(36);
    this.#recording = this.#record().catch(() => undefined);
  }

  /** Rejects with `KernelError`. */
  async open(): Promise<LiveView> {
    const live = new FollowedView(this.#collaborators, { own: () => this.#renew(), events: this.#events });
    try {
      await live.start();
      return live;
    } catch (error) {
      await live[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#recording;
  }

  async #record(): Promise<void> {
    const { conditions, clock } = this.#collaborators;
    const { signal } = this.#stopping;
    for (;;) {
      await conditions.until(() => conditions.checks !== this.#own?.checks, signal);
      this.#renew();
      await clock.sleep(UNFOLLOWED_MS, { signal });
    }
  }

  /** The node's part as it is now; what has changed in it goes into the log. */
  #renew(): Narrated {
    const { parts, state: read, conditions } = this.#collaborators;
    const { checks } = conditions;
    if (this.#own?.checks === checks) return this.#own.part;
    const state = read();
    const part = renderOwnPart(parts, state);
    this.#own = { checks, part };
    // Until then everything comes that has been there all along.
    if (state.isSynced) this.#tell(part, parts.nodeName);
    return part;
  }

  #tell(part: Narrated, nodeName: string): void {
    const started: Line = { node: nodeName, level: "info", text: "the agent has started" };
    const lines = this.#told === undefined ? [started] : narrate(this.#told, part);
    this.#told = part;
    const atMs = this.#collaborators.clock.now();
    for (const line of lines)
      this.#events.add({ id: `${nodeName}/${this.#prefix}-${this.#events.added}`, atMs, ...line });
  }
}
