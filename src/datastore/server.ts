// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Log, silentLog } from "../system/log.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "./keys.ts";
import { DatastoreError, type Store } from "./store.ts";
import { DATASTORE_PATH, type Operation, type Request, STATUS, encodeFailure, requests } from "./wire.ts";

/** Answers one request; `false`, with nothing touched, where its path is not under {@link DATASTORE_PATH}. */
export type StoreHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

export interface StoreHandlerOptions {
  /** Hears of errors that are no {@link DatastoreError}. */
  readonly log?: Log;
}

/** JSON may need six bytes (`\u0000`) for one. */
const MAX_BODY_BYTES = 6 * (MAX_KEY_BYTES + MAX_VALUE_BYTES) + 1024;

/**
 * Shares a store over HTTP with {@link connectStore}. Mount it on a server whose socket only root may open: whoever
 * reaches it may write everything. A watch is one answer that ends only with its client or the store, so whoever stops
 * the server closes the store first, or all connections.
 */
export function createStoreHandler(
  store: Store,
  { log = silentLog }: StoreHandlerOptions = {},
): StoreHandler {
  return async (request, response) => {
    const path = request.url ?? "";
    if (!path.startsWith(DATASTORE_PATH)) return false;
    const left = new AbortController();
    response.once("close", () => {
      left.abort();
    });
    try {
      const operation = operationOf(request.method, path);
      await OPERATIONS[operation](store, await readJson(request), response, left.signal);
    } catch (error) {
      if (!(error instanceof DatastoreError) && !left.signal.aborted) {
        log.error("Cannot serve a datastore request", { path, error });
      }
      sendFailure(response, error);
    }
    return true;
  };
}

type Serve = (store: Store, body: unknown, response: ServerResponse, signal: AbortSignal) => Promise<void>;

const OPERATIONS: Readonly<Record<Operation, Serve>> = {
  async get(store, body, response, signal) {
    const { key } = parse("get", body);
    send(response, 200, { entry: await store.get(key, { signal }) });
  },
  async list(store, body, response, signal) {
    const { prefix } = parse("list", body);
    send(response, 200, await store.list(prefix, { signal }));
  },
  async put(store, body, response, signal) {
    const { key, value, expect } = parse("put", body);
    send(response, 200, await store.put(key, value, { signal, ...(expect !== undefined && { expect }) }));
  },
  async delete(store, body, response, signal) {
    const { key, expect } = parse("delete", body);
    send(response, 200, await store.delete(key, { signal, ...(expect !== undefined && { expect }) }));
  },
  async watch(store, body, response, signal) {
    const { prefix, after } = parse("watch", body);
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.flushHeaders();
    for await (const changes of store.watch(prefix, { after, signal })) {
      // A client that does not read stops this loop, and the store keeps its place.
      if (!response.write(`${JSON.stringify({ changes })}\n`)) await once(response, "drain", { signal });
    }
    response.end();
  },
};

function operationOf(method: string | undefined, path: string): Operation {
  const name = path.slice(DATASTORE_PATH.length);
  if (method !== "POST") throw refuse(`${method ?? ""} ${path}`, "want POST");
  if (!isOperation(name)) throw refuse(path, "there is no such operation");
  return name;
}

function isOperation(name: string): name is Operation {
  return Object.hasOwn(requests, name);
}

function parse<O extends Operation>(operation: O, body: unknown): Request<O>;
function parse(operation: Operation, body: unknown): unknown {
  const { data, error } = requests[operation].safeParse(body);
  if (error === undefined) return data;
  const issues = error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw refuse(operation, issues.join("; "));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Without an encoding set, an IncomingMessage yields buffers.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw refuse(request.url ?? "", `the body has over ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    throw refuse(request.url ?? "", "the body is no JSON", error);
  }
}

function refuse(request: string, state: string, cause?: unknown): DatastoreError {
  return new DatastoreError("invalid", `Cannot serve datastore request "${request}": ${state}`, { cause });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** As the whole answer or, where a watch has begun, as its last line. To a client that left, nothing. */
function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.destroyed) return;
  const failure = encodeFailure(error);
  if (response.headersSent) response.end(`${JSON.stringify(failure)}\n`);
  else send(response, STATUS[failure.error.code], failure);
}
