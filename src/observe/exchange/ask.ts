// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type { NftDrop } from "../../dataplane/nft/trace-output.ts";
import type { Change, Store, WaitOptions } from "../../datastore/store.ts";
import type { Clock } from "../../system/clock.ts";
import { WATCH_MS } from "../trace-drop.ts";
import type { RemoteCapture, RemotePost, RemoteReport, Silence } from "../remote-post.ts";
import {
  ABANDONED_MS,
  MOST_REQUESTS,
  type TraceAnswer,
  type TraceRequest,
  answerKey,
  parseAnswer,
  parseRequest,
  requestKey,
  tracePrefix,
} from "./protocol.ts";

export interface AskOptions {
  /** The node whose agent is asked. */
  readonly node: string;
  /** The node that asks. */
  readonly asker: string;
  /** How long each answer is waited for. @default 3000 */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 3000;

/** Asks a node's agent by way of the datastore. Disposing it removes what was written for that. */
export function askNode(
  collaborators: { readonly store: Store; readonly clock: Clock },
  options: AskOptions,
): RemotePost & AsyncDisposable {
  return new AskedNode(collaborators, options);
}

class AskedNode implements RemotePost, AsyncDisposable {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #node: string;
  readonly #asker: string;
  readonly #timeoutMs: number;
  readonly #id = randomBytes(8).toString("hex");

  constructor(
    { store, clock }: { readonly store: Store; readonly clock: Clock },
    { node, asker, timeoutMs = TIMEOUT_MS }: AskOptions,
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#node = node;
    this.#asker = asker;
    this.#timeoutMs = timeoutMs;
  }

  async begin(marker: TraceRequest["marker"], { signal }: WaitOptions): Promise<RemoteCapture | Silence> {
    const request: TraceRequest = {
      version: 1,
      asker: this.#asker,
      createdMs: this.#clock.now(),
      marker,
      outcome: null,
    };
    return await this.#attempt(signal, async (until) => {
      if (!(await this.#makeRoom(until))) return silent(`"${this.#node}" has too many requests already`);
      const answer = await this.#exchange(request, until, () => true);
      if (answer.phase === "refused") return silent(`the agent of "${this.#node}" says: ${answer.reason}`);
      return {
        kind: "listens",
        collect: (outcome, options) => this.#collect({ ...request, outcome }, options),
        findDrop: (dropped, options) => this.#findDrop({ ...request, dropped }, options),
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      await this.#store.delete(requestKey(this.#node, this.#id), { signal });
      await this.#store.delete(answerKey(this.#node, this.#id), { signal });
    } catch {
      // The agent does it when the time of the request is over.
    }
  }

  async #collect(request: TraceRequest, { signal }: WaitOptions): Promise<RemoteReport | Silence> {
    return await this.#attempt(signal, async (until) => {
      const answer = await this.#exchange(request, until, ({ phase }) => phase !== "listening");
      if (answer.phase === "report") {
        const { phase: _, ...report } = answer;
        if (!isConsistent(report))
          return silent(`the agent of "${this.#node}" tells of stations that it does not describe`);
        return { kind: "report", node: this.#node, ...report };
      }
      return silent(
        answer.phase === "refused"
          ? `the agent of "${this.#node}" says: ${answer.reason}`
          : `the agent of "${this.#node}" said nothing`,
      );
    });
  }

  async #findDrop(request: TraceRequest, { signal }: WaitOptions): Promise<NftDrop | undefined> {
    const wantsDrop = ({ phase }: TraceAnswer): boolean => phase === "drop";
    const found = await this.#attempt(
      signal,
      async (until) => ({ kind: "said", answer: await this.#exchange(request, until, wantsDrop) }),
      this.#timeoutMs + 2 * WATCH_MS,
    );
    return found.kind === "said" && found.answer.phase === "drop"
      ? (found.answer.drop ?? undefined)
      : undefined;
  }

  /** Writes the request, and waits for the first answer of the wanted kind. */
  async #exchange(
    request: TraceRequest,
    signal: AbortSignal,
    isWanted: (answer: TraceAnswer) => boolean,
  ): Promise<TraceAnswer> {
    const written = await this.#store.put(requestKey(this.#node, this.#id), JSON.stringify(request), {
      signal,
    });
    if (written.kind === "conflict") throw new Error("the request was changed by somebody else");
    const key = answerKey(this.#node, this.#id);
    for await (const changes of this.#store.watch(key, { after: written.revision, signal })) {
      const answer = changes.map((change) => answerIn(change, key)).find((one) => one !== undefined);
      if (answer !== undefined && isWanted(answer)) return answer;
    }
    throw new Error("the datastore ended the watch");
  }

  /** Removes what others have left behind; whether there is room for another request then. */
  async #makeRoom(signal: AbortSignal): Promise<boolean> {
    const { entries } = await this.#store.list(tracePrefix(this.#node), { signal });
    let standing = 0;
    for (const { key, value } of entries) {
      const createdMs = key.endsWith("/request") ? parseRequest(value)?.createdMs : undefined;
      if (createdMs !== undefined && Math.abs(this.#clock.now() - createdMs) < ABANDONED_MS) standing++;
      else if (createdMs !== undefined) await this.#store.delete(key, { signal });
    }
    return standing < MOST_REQUESTS;
  }

  /** What fails, or takes too long, is said in the trace, which goes on. */
  async #attempt<T>(
    signal: AbortSignal | undefined,
    work: (until: AbortSignal) => Promise<T>,
    timeoutMs = this.#timeoutMs,
  ): Promise<T | Silence> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await work(signal === undefined ? timeout : AbortSignal.any([signal, timeout]));
    } catch (error) {
      signal?.throwIfAborted();
      if (timeout.aborted)
        return silent(`the agent of "${this.#node}" did not answer in ${timeoutMs / 1000} s`);
      return silent(
        `"${this.#node}" cannot be asked: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

/** Whether all that is named is described, once. */
function isConsistent({
  stations,
  sightings,
  resolutions,
  destination,
}: Omit<RemoteReport, "kind" | "node">): boolean {
  const names = new Set(stations.map(({ name }) => name));
  const named = [...sightings, ...resolutions].map(({ station }) => station);
  const isKnown = (name: string | undefined): boolean => name === undefined || names.has(name);
  return names.size === stations.length && named.every(isKnown) && isKnown(destination);
}

function answerIn(change: Change, key: string): TraceAnswer | undefined {
  return change.kind === "put" && change.entry.key === key ? parseAnswer(change.entry.value) : undefined;
}

function silent(reason: string): Silence {
  return { kind: "silent", reason };
}
