// SPDX-License-Identifier: Apache-2.0
// One live view for all who look at it: it is kept while somebody does, and a little longer.
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Clock } from "../../system/clock.ts";
import { renderWhole } from "./difference.ts";
import { SharedView } from "./shared-view.ts";
import type { LiveView } from "./source.ts";

export interface FeedOptions {
  /** Between two changes that are told. @default 500 */
  readonly intervalMs?: number;
  /** Between two signs of life. @default 5000 */
  readonly heartbeatMs?: number;
  /** How long a view that nobody looks at is kept: who asks again soon need not wait. @default 5000 */
  readonly lingerMs?: number;
  /** How many may follow at once. @default 16 */
  readonly most?: number;
}

export interface FeedCollaborators {
  /** Begins a view. */
  readonly open: () => Promise<LiveView>;
  readonly clock: Clock;
}

/** A view as clients get it. */
export class ViewFeed implements AsyncDisposable {
  readonly #collaborators: FeedCollaborators;
  readonly #options: Required<FeedOptions>;
  readonly #closing = new AbortController();
  #shared: Promise<SharedView> | undefined;
  #users = 0;
  #followers = 0;
  #linger: NodeJS.Timeout | undefined;

  constructor(
    collaborators: FeedCollaborators,
    { intervalMs = 500, heartbeatMs = 5000, lingerMs = 5000, most = 16 }: FeedOptions = {},
  ) {
    this.#collaborators = collaborators;
    this.#options = { intervalMs, heartbeatMs, lingerMs, most };
  }

  /** The whole view, in JSON. */
  whole(): Promise<string> {
    return this.#use((view) => Promise.resolve(view.renderNow()));
  }

  /** Begins to stream it, until the client has gone; `false`, with nothing touched, where too many follow. */
  follow(response: ServerResponse): boolean {
    if (this.#followers >= this.#options.most) return false;
    this.#followers++;
    const gone = new AbortController();
    response.once("close", () => {
      this.#followers--;
      gone.abort();
    });
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    const signal = AbortSignal.any([gone.signal, this.#closing.signal]);
    const { heartbeatMs } = this.#options;
    this.#use((view) => stream(view, response, { signal, heartbeatMs })).catch(() => {
      response.destroy();
    });
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#close();
  }

  async #use<T>(use: (view: SharedView) => Promise<T>): Promise<T> {
    this.#closing.signal.throwIfAborted();
    clearTimeout(this.#linger);
    this.#users++;
    this.#shared ??= this.#open();
    try {
      return await use(await this.#shared);
    } finally {
      if (--this.#users === 0) this.#linger = setTimeout(() => void this.#close(), this.#lingerMs()).unref();
    }
  }

  async #open(): Promise<SharedView> {
    const { open, clock } = this.#collaborators;
    try {
      return new SharedView(await open(), { clock, intervalMs: this.#options.intervalMs });
    } catch (error) {
      // Who asks next tries anew.
      this.#shared = undefined;
      throw error;
    }
  }

  #lingerMs(): number {
    return this.#closing.signal.aborted ? 0 : this.#options.lingerMs;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#linger);
    const last = this.#shared;
    this.#shared = undefined;
    const view = await last?.catch(() => undefined);
    await view?.[Symbol.asyncDispose]();
  }
}

interface Following {
  readonly signal: AbortSignal;
  readonly heartbeatMs: number;
}

/** Server-sent events (html.spec.whatwg.org, section 9.2). A client that does not read misses what has changed back meanwhile, and nothing is kept for it. */
async function stream(
  view: SharedView,
  response: ServerResponse,
  { signal, heartbeatMs }: Following,
): Promise<void> {
  const { log } = view;
  let told = view.written;
  let lines = 0;
  const news = (): string => {
    const events = log.since(lines).map((event) => render("event", JSON.stringify(event)));
    const change = view.difference(told);
    [lines, told] = [log.added, view.written];
    return [...events, ...(change === undefined ? [] : [render("change", change)])].join("");
  };
  for (let text = render("view", renderWhole(told)) + news(); ; text = news()) {
    if (!response.write(text === "" ? ": still here\n\n" : text)) await once(response, "drain", { signal });
    const wait = AbortSignal.any([signal, AbortSignal.timeout(heartbeatMs)]);
    await view
      .until(() => told !== view.written || log.added > lines, wait)
      .catch(() => {
        signal.throwIfAborted();
      });
  }
}

function render(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
