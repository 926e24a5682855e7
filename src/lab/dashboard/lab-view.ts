// SPDX-License-Identifier: Apache-2.0
import { statSync } from "node:fs";
import { z } from "zod";
import { askAgent } from "../../agent/client.ts";
import type { Clock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import type { Log } from "../../system/log.ts";
import { jsonReply } from "../../web/reply.ts";
import { RESOURCES } from "../../web/resources.ts";
import { EventLog } from "../../web/view/event-log.ts";
import { type Line, type Narrated, narrate } from "../../web/view/narrate.ts";
import type { DashboardSources, LiveView } from "../../web/view/source.ts";
import { COLLECTIONS, type Collection, type View } from "../../web/view/view.ts";
import { createLayout } from "../layout.ts";
import { type LabState, readState } from "../state.ts";
import { FollowedLab } from "./followed-lab.ts";
import { labsPart } from "./join.ts";

/** How often the lab's record is looked at, and counters of machines without an agent are read. */
const LOOK_MS = 500;
const COUNTERS_MS = 1000;
/** For how long a view is held back for agents that have not answered yet. */
const FIRST_ANSWERS_MS = 3000;

const anyObject = z.looseObject({});

export interface LabViewOptions {
  readonly name: string;
  /** Of the program. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a dashboard of a lab is served from; the lab may come, go and change meanwhile. Throws `LabError` for a name that no lab can have. */
export function createLabSources(options: LabViewOptions): Pick<DashboardSources, "open" | "detail"> {
  const layout = createLayout(options.name);
  return {
    async open() {
      const view = new LabView(options);
      await view.start();
      return view;
    },
    async detail(node, detail, signal) {
      const state = await readState(layout);
      if (state?.topology.hosts.some(({ name }) => name === node) !== true) return undefined;
      const answer = await askAgent(layout.host(node).agentSocket, RESOURCES[detail].path, { signal });
      return jsonReply(200, anyObject.parse(answer));
    },
  };
}

type Collections = Pick<View, Collection>;

const NOTHING = Object.fromEntries(COLLECTIONS.map((name) => [name, []])) as unknown as Collections;

class LabView implements LiveView {
  readonly log = new EventLog();
  readonly #options: LabViewOptions;
  readonly #layout: ReturnType<typeof createLayout>;
  readonly #closing = new AbortController();
  readonly #conditions = new Conditions();
  readonly #prefix: string;
  #looking: Promise<void> = Promise.resolve();
  #lab: FollowedLab | undefined;
  /** Of the record that was read last. */
  #stamp: string | undefined;
  #joined: { readonly checks: number; readonly collections: Collections } | undefined;
  #told: Narrated | undefined;

  constructor(options: LabViewOptions) {
    this.#options = options;
    this.#layout = createLayout(options.name);
    this.#prefix = options.clock.now().toString(36);
  }

  async start(): Promise<void> {
    await this.#look();
    const deadline = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(FIRST_ANSWERS_MS)]);
    await this.#lab?.answered(deadline).catch(() => undefined);
    await this.#lab?.count();
    this.#looking = this.#goOn().catch(() => undefined);
  }

  read(): View {
    const { name, version, clock } = this.#options;
    return { scope: "lab", name, version, at: clock.now(), ...this.#collections() };
  }

  async changed(signal: AbortSignal): Promise<void> {
    const checks = this.#joined?.checks;
    await this.#conditions.until(() => this.#conditions.checks !== checks, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#looking;
    await this.#lab?.[Symbol.asyncDispose]();
  }

  #collections(): Collections {
    const { checks } = this.#conditions;
    if (this.#joined?.checks !== checks) {
      const collections = this.#lab?.read() ?? NOTHING;
      this.#joined = { checks, collections };
      this.#tell(labsPart(collections));
    }
    return this.#joined.collections;
  }

  async #goOn(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#closing;
    for (let countedAtMs = clock.now(); ;) {
      await clock.sleep(LOOK_MS, { signal });
      await this.#look().catch((error: unknown) => {
        log.warn("Cannot read the lab's state", { error });
      });
      if (clock.now() - countedAtMs < COUNTERS_MS) continue;
      countedAtMs = clock.now();
      if ((await this.#lab?.count().catch(() => false)) === true) this.#conditions.check();
    }
  }

  /** Reads the record where it is another than before. */
  async #look(): Promise<void> {
    const file = statSync(this.#layout.stateFile, { bigint: true, throwIfNoEntry: false });
    const stamp = file && `${file.ino} ${file.mtimeNs}`;
    if (stamp === this.#stamp) return;
    const state = await readState(this.#layout);
    this.#stamp = stamp;
    if (this.#lab !== undefined && this.#lab.id === state?.id) this.#lab.update(state);
    else await this.#replace(state);
    this.#conditions.check();
  }

  async #replace(state: LabState | undefined): Promise<void> {
    const { clock } = this.#options;
    const before = this.#lab;
    this.#lab = undefined;
    this.#told = undefined;
    if (before !== undefined) this.#add({ node: null, level: "info", text: "the lab has gone" });
    await before?.[Symbol.asyncDispose]();
    if (state === undefined || this.#closing.signal.aborted) return;
    this.#lab = new FollowedLab(state, {
      layout: this.#layout,
      clock,
      onChange: () => {
        this.#conditions.check();
      },
      onEvent: (event) => {
        this.log.add(event);
        this.#conditions.check();
      },
    });
  }

  /** What agents cannot tell: that they do not answer, and how the links of other machines are. */
  #tell(part: Narrated): void {
    if (this.#told !== undefined) for (const line of narrate(this.#told, part)) this.#add(line);
    this.#told = part;
  }

  #add(line: Line): void {
    const id = `lab/${this.#prefix}-${this.log.added}`;
    this.log.add({ id, atMs: this.#options.clock.now(), ...line });
  }
}
