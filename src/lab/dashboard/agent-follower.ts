// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../../system/clock.ts";
import { request } from "../../system/http.ts";
import { applyChange } from "../../web/view/apply-change.ts";
import { VIEW_EVENTS_PATH } from "../../web/view/paths.ts";
import { type ServerEvent, readEvents } from "../../web/view/read-events.ts";
import {
  type LogEvent,
  type View,
  type ViewChange,
  changeSchema,
  logEventSchema,
  viewSchema,
} from "../../web/view/view.ts";

/** Before an agent that does not answer is asked again. */
const RETRY_MS = 500;
/** An agent says something each five seconds. */
const SILENCE_MS = 12_000;

export interface AgentFollowerOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  /** Called when the view, or whether it is of now, has changed. */
  readonly onChange: () => void;
  readonly onEvent: (event: LogEvent) => void;
}

/** Follows the view of one agent, and finds it again. */
export class AgentFollower implements AsyncDisposable {
  readonly #options: AgentFollowerOptions;
  readonly #closing = new AbortController();
  readonly #following: Promise<void>;
  #view: View | undefined;
  #isAnswering: boolean | undefined;

  constructor(options: AgentFollowerOptions) {
    this.#options = options;
    this.#following = this.#goOn().catch(() => undefined);
  }

  /** What the agent has told last; `undefined` where it never has. */
  get view(): View | undefined {
    return this.#view;
  }

  /** `undefined` before the first attempt is through. */
  get isAnswering(): boolean | undefined {
    return this.#isAnswering;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#following;
  }

  async #goOn(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    for (;;) {
      await this.#follow(signal).catch(() => undefined);
      signal.throwIfAborted();
      if (this.#isAnswering !== false) {
        this.#isAnswering = false;
        this.#options.onChange();
      }
      await clock.sleep(RETRY_MS, { signal });
    }
  }

  /** Until the agent ends, or says what is none of its events. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { socketPath } = this.#options;
    const question = request({ socketPath, path: VIEW_EVENTS_PATH, signal, agent: false });
    question.setTimeout(SILENCE_MS, () => {
      question.destroy(new Error("The agent says nothing"));
    });
    question.end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    if (response.statusCode !== 200) {
      question.destroy();
      return;
    }
    for await (const event of readEvents(response.setEncoding("utf8"))) this.#take(event);
  }

  #take({ name, data }: ServerEvent): void {
    const json: unknown = JSON.parse(data);
    if (name === "event") {
      this.#options.onEvent(logEventSchema.parse(json));
      return;
    }
    if (name === "view") this.#view = viewSchema.parse(json);
    else if (name === "change" && this.#view !== undefined)
      this.#view = applyChange(this.#view, changeSchema.parse(json) as unknown as ViewChange);
    this.#isAnswering = true;
    this.#options.onChange();
  }
}
