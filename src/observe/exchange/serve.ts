// SPDX-License-Identifier: Apache-2.0
import { follow } from "../../datastore/follow.ts";
import type { Change, Store } from "../../datastore/store.ts";
import type { Ip } from "../../net/ip.ts";
import { abortable } from "../../system/abortable.ts";
import type { Clock } from "../../system/clock.ts";
import { type Log, describeError } from "../../system/log.ts";
import type { PostTools } from "../post.ts";
import {
  LIFETIME_MS,
  MOST_ANSWER_BYTES,
  MOST_REQUESTS,
  MOST_TRACES,
  type TraceAnswer,
  type TraceRequest,
  answerKey,
  parseRequest,
  parseTraceKey,
  requestKey,
  tracePrefix,
} from "./protocol.ts";

export interface TraceServiceCollaborators extends PostTools {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TraceServiceOptions {
  readonly nodeName: string;
  readonly wireguardDirectory: string;
  /** Whether the address is that of a container of this node. */
  readonly isOwn: (ip: Ip) => boolean;
  /** Whether the address is in one of the cluster's pools. */
  readonly isPooled: (ip: Ip) => boolean;
}

/** Takes part in traces that other nodes ask this one to; until then it waits, and does nothing. */
export function serveTraces(
  collaborators: TraceServiceCollaborators,
  options: TraceServiceOptions,
): AsyncDisposable {
  return new TraceService(collaborators, options);
}

type TraceOutcome = NonNullable<TraceRequest["outcome"]>;
type Dropped = NonNullable<TraceRequest["dropped"]>;

/** What the asker says later. */
interface Told {
  /** Resolves once it says what came of its probe. */
  readonly outcome: PromiseWithResolvers<TraceOutcome>;
  /** Resolves once it wants to know what drops it, or its answer, here; never, as a rule. */
  readonly dropped: PromiseWithResolvers<Dropped>;
}

interface Session extends Told {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

class TraceService implements AsyncDisposable {
  readonly #collaborators: TraceServiceCollaborators;
  readonly #options: TraceServiceOptions;
  readonly #abort = new AbortController();
  readonly #sessions = new Map<string, Session>();
  readonly #following: Promise<void>;

  constructor(collaborators: TraceServiceCollaborators, options: TraceServiceOptions) {
    this.#collaborators = collaborators;
    this.#options = options;
    this.#following = this.#follow();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#following;
    await Promise.all(this.#sessions.values().map(({ done }) => done));
  }

  async #follow(): Promise<void> {
    const { store, clock, log } = this.#collaborators;
    const { signal } = this.#abort;
    try {
      for await (const event of follow(store, tracePrefix(this.#options.nodeName), { signal, clock })) {
        // What stands there as the agent starts was asked of the one before it.
        if (event.kind === "snapshot") for (const { key } of event.entries) await this.#remove(key);
        else for (const change of event.changes) this.#note(change);
      }
    } catch (error) {
      if (!signal.aborted) log.error("Cannot take part in traces any more", { error });
    }
  }

  #note(change: Change): void {
    const key = change.kind === "put" ? change.entry.key : change.key;
    const { id, part } = parseTraceKey(this.#options.nodeName, key) ?? {};
    if (id === undefined || part !== "request") return;
    const session = this.#sessions.get(id);
    if (change.kind === "delete") {
      session?.stop.abort();
      return;
    }
    const request = parseRequest(change.entry.value);
    if (session === undefined && this.#sessions.size < MOST_REQUESTS) this.#begin(id, request);
    else if (session === undefined) this.#remove(key).catch(() => undefined);
    else if (request?.dropped !== undefined) session.dropped.resolve(request.dropped);
    else if (request?.outcome) session.outcome.resolve(request.outcome);
  }

  #begin(id: string, request: TraceRequest | undefined): void {
    const stop = new AbortController();
    const told = {
      outcome: Promise.withResolvers<TraceOutcome>(),
      dropped: Promise.withResolvers<Dropped>(),
    };
    const refusal = this.#refusal(request);
    const lifetime = AbortSignal.any([this.#abort.signal, stop.signal, AbortSignal.timeout(LIFETIME_MS)]);
    const work =
      request === undefined || refusal !== undefined
        ? this.#answer(id, { phase: "refused", reason: refusal ?? "it cannot be read" }, lifetime)
        : this.#takePart(id, request, told, lifetime);
    const done = work
      .catch((error: unknown) => {
        if (!lifetime.aborted) this.#collaborators.log.warn("Cannot take part in a trace", { error });
      })
      .then(() => aborted(lifetime))
      .then(() => this.#forget(id));
    this.#sessions.set(id, { ...told, stop, done });
  }

  #refusal(request: TraceRequest | undefined): string | undefined {
    if (request === undefined) return "the request cannot be read";
    if (this.#sessions.size >= MOST_TRACES) return "it takes part in as many traces as it may";
    const { src, dst } = request.marker;
    const { isOwn, isPooled } = this.#options;
    const isAllowed = (isOwn(dst) && isPooled(src)) || (isOwn(src) && isPooled(dst));
    return isAllowed ? undefined : "neither address is that of a container here, or the other is in no pool";
  }

  async #takePart(
    id: string,
    { marker }: TraceRequest,
    { outcome, dropped }: Told,
    signal: AbortSignal,
  ): Promise<void> {
    // Few agents are ever asked, and each has to start.
    const { findDropHere, takePart } = await import("./take-part.ts");
    const listening = (): Promise<void> => this.#answer(id, { phase: "listening" }, signal);
    const part = { ...this.#options, marker, outcome: outcome.promise, listening };
    await this.#answer(id, await takePart(this.#collaborators, part, { signal }), signal);
    const direction = await abortable(dropped.promise, signal);
    const drop = await findDropHere(this.#collaborators, { marker, direction }, { signal });
    await this.#answer(id, { phase: "drop", drop }, signal);
  }

  async #answer(id: string, answer: TraceAnswer, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(answer);
    const isTooLong = Buffer.byteLength(text) > MOST_ANSWER_BYTES;
    const refusal: TraceAnswer = { phase: "refused", reason: "what it saw is too much to be sent" };
    const value = isTooLong ? JSON.stringify(refusal) : text;
    await this.#collaborators.store.put(answerKey(this.#options.nodeName, id), value, { signal });
  }

  async #forget(id: string): Promise<void> {
    const { nodeName } = this.#options;
    await this.#remove(requestKey(nodeName, id));
    await this.#remove(answerKey(nodeName, id));
    this.#sessions.delete(id);
  }

  async #remove(key: string): Promise<void> {
    try {
      await this.#collaborators.store.delete(key, { signal: AbortSignal.timeout(LIFETIME_MS) });
    } catch (error) {
      this.#collaborators.log.info("Cannot remove a request to trace", { key, reason: describeError(error) });
    }
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}
