// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "../system/http.ts";
import type { Log } from "../system/log.ts";
import type { ApiHandler } from "./api.ts";
import { type Gate, LOOPBACK_HOST, faultOf } from "./gate.ts";
import { type Reply, refusal, sendReply } from "./reply.ts";
import type { Tally } from "./tally.ts";
import type { TokenCheck } from "./token.ts";

export interface ListenerCollaborators {
  readonly handler: ApiHandler;
  readonly isToken: TokenCheck;
  /** Counts what is answered before the handler is asked. */
  readonly answers: Tally;
  readonly log: Log;
}

/** What one client may ask of the server: a scrape needs a hundredth of it. */
export interface ListenerLimits {
  /** For a whole request, from its first octet on. */
  readonly requestMs: number;
  /** For the next request of a connection. */
  readonly idleMs: number;
  /** For a client that takes nothing of its answer. */
  readonly stallMs: number;
  /** Of a request's first line and its header together. */
  readonly headerBytes: number;
  readonly connections: number;
}

const LIMITS: ListenerLimits = {
  requestMs: 10_000,
  idleMs: 60_000,
  stallMs: 30_000,
  headerBytes: 8192,
  connections: 64,
};

export interface ListenerOptions {
  readonly port: number;
  readonly limits?: Partial<ListenerLimits>;
}

/** Serves the API on 127.0.0.1. Rejects with the system's error where the port is taken. */
export async function listenForApi(
  collaborators: ListenerCollaborators,
  options: ListenerOptions,
): Promise<AsyncDisposable> {
  const server = createApiServer(collaborators, options);
  server.listen({ host: LOOPBACK_HOST, port: options.port });
  await once(server, "listening");
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A server for others than root, which listens nowhere yet. `port` is that which clients speak of. */
export function createApiServer(
  { handler, isToken, answers, log }: ListenerCollaborators,
  { port, limits }: ListenerOptions,
): Server {
  const { requestMs, idleMs, stallMs, headerBytes, connections } = { ...LIMITS, ...limits };
  const gate: Gate = { port, isToken };
  const server = createServer(
    {
      maxHeaderSize: headerBytes,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      // How often Node looks for connections that have had their time.
      connectionsCheckingInterval: requestMs / 4,
      keepAliveTimeout: idleMs,
    },
    (request, response) => {
      try {
        answer(request, response);
      } catch (error) {
        log.error("Cannot answer a request", { error });
        sendReply(response, refusal(500, "internal"));
      }
    },
  );
  const refuse = (response: ServerResponse, reply: Reply): void => {
    answers.note(String(reply.status));
    sendReply(response, reply);
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const fault = faultOf(request, gate);
    if (fault !== undefined) refuse(response, fault);
    else if (!handler(request, response)) refuse(response, refusal(404, "there is nothing of that name"));
  };
  server.setTimeout(stallMs);
  server.maxConnections = connections;
  return server;
}

/** A browser that has been led here does nothing with what it gets. */
const HEADERS = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;
