// SPDX-License-Identifier: Apache-2.0
import type { ClientRequest, IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { z } from "zod";
import {
  type Change,
  DatastoreError,
  type Entry,
  type Expectation,
  type Listing,
  type Store,
  type WaitOptions,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "./store.ts";
import { Agent, request as httpRequest } from "../system/http.ts";
import { DATASTORE_PATH, type Operation, type Request, answers, decodeFailure } from "./wire.ts";

export interface StoreClientOptions {
  /** The unix socket of a server that has `createStoreHandler` mounted. */
  readonly socketPath: string;
}

/**
 * A store that another process holds. Nothing is sent before the first call, and every call stands for itself: after
 * `unavailable` the same handle may be tried again. A write that ends so may have been done: read before repeating it,
 * or make it conditional.
 */
export function connectStore(options: StoreClientOptions): Store {
  return new StoreClient(options.socketPath);
}

/** Calls in flight at once; more wait their turn. Watches come on top. */
const MAX_CONNECTIONS = 64;
/** A connection that has had no call for so long is closed from this end, which knows that no call is on its way. */
const IDLE_TIMEOUT_MS = 5000;

class StoreClient implements Store {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS, timeout: IDLE_TIMEOUT_MS });
  readonly #requests = new Set<ClientRequest>();
  #closed = false;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async get(key: string, { signal }: WaitOptions = {}): Promise<Entry | undefined> {
    return (await this.#call("get", { key }, answers.get, signal)).entry;
  }

  async list(prefix: string, { signal }: WaitOptions = {}): Promise<Listing> {
    return await this.#call("list", { prefix }, answers.list, signal);
  }

  async put(key: string, value: string, { expect, signal }: WriteOptions = {}): Promise<WriteResult> {
    const answer = await this.#call("put", { key, value, ...expecting(expect) }, answers.put, signal);
    return writeResultOf(answer);
  }

  async delete(key: string, { expect, signal }: WriteOptions = {}): Promise<WriteResult> {
    const answer = await this.#call("delete", { key, ...expecting(expect) }, answers.delete, signal);
    return writeResultOf(answer);
  }

  async *watch(prefix: string, { after, signal }: WatchOptions): AsyncGenerator<readonly Change[]> {
    try {
      signal.throwIfAborted();
      const response = await this.#send("watch", { prefix, after }, signal);
      if (response.statusCode !== 200) throw this.#readFailure(await text(response));
      for await (const line of linesOf(response)) {
        const answer = this.#parse(line, answers.watch);
        if ("error" in answer) throw decodeFailure(answer);
        yield answer.changes;
      }
      throw this.#unavailable("it ended the watch");
    } catch (error) {
      if (signal.aborted) return;
      throw this.#explain("watch", error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const request of this.#requests) request.destroy();
    this.#agent.destroy();
    return Promise.resolve();
  }

  async #call<O extends Operation, T>(
    operation: O,
    body: Request<O>,
    schema: z.ZodType<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      const response = await this.#send(operation, body, signal);
      const answer = await text(response);
      if (response.statusCode !== 200) throw this.#readFailure(answer);
      return this.#parse(answer, schema);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#explain(operation, error);
    }
  }

  #send(operation: Operation, body: unknown, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#closedError(operation);
      const payload = Buffer.from(JSON.stringify(body));
      const request = httpRequest(
        {
          socketPath: this.#socketPath,
          // A watch keeps its connection to itself for as long as it lasts.
          agent: operation === "watch" ? false : this.#agent,
          method: "POST",
          path: `${DATASTORE_PATH}${operation}`,
          headers: { "content-type": "application/json", "content-length": payload.length },
          ...(signal !== undefined && { signal }),
        },
        resolve,
      );
      this.#requests.add(request);
      request.once("close", () => this.#requests.delete(request));
      request.on("error", reject);
      request.end(payload);
    });
  }

  #parse<T>(answer: string, schema: z.ZodType<T>): T {
    try {
      return schema.parse(JSON.parse(answer));
    } catch (error) {
      throw this.#unavailable("it gave an answer that cannot be read", error);
    }
  }

  #readFailure(answer: string): DatastoreError {
    return decodeFailure(this.#parse(answer, answers.failure));
  }

  #explain(operation: Operation, error: unknown): DatastoreError {
    // Closing the handle cuts what is under way, which shows as any network error.
    if (this.#closed) return this.#closedError(operation);
    if (error instanceof DatastoreError) return error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ECONNREFUSED") return this.#unavailable("nobody listens there", error);
    return this.#unavailable(error instanceof Error ? error.message : String(error), error);
  }

  #unavailable(state: string, cause?: unknown): DatastoreError {
    return new DatastoreError("unavailable", `Cannot use datastore at "${this.#socketPath}": ${state}`, {
      cause,
    });
  }

  #closedError(operation: Operation): DatastoreError {
    return new DatastoreError("closed", `Cannot ${operation}: connection to "${this.#socketPath}" is closed`);
  }
}

function expecting(expect: Expectation | undefined): { readonly expect?: Expectation } {
  return expect === undefined ? {} : { expect };
}

/** JSON drops a `current` of undefined. */
function writeResultOf(answer: z.infer<typeof answers.put>): WriteResult {
  return answer.kind === "written" ? answer : { kind: "conflict", current: answer.current };
}

/** The complete lines of a stream; what follows the last newline was cut off, and is dropped. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const unfinished: string[] = [];
  for await (const chunk of stream) {
    const [head = "", ...starts] = decoder.decode(chunk, { stream: true }).split("\n");
    unfinished.push(head);
    for (const start of starts) {
      yield unfinished.splice(0).join("");
      unfinished.push(start);
    }
  }
}
