// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { lstat, mkdir, unlink } from "node:fs/promises";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { buffer as readBuffer } from "node:stream/consumers";
import { CALL_TYPE, MAX_CALL_BYTES, decodeCall, parseConfig } from "../cni/call.ts";
import { CniError } from "../cni/error.ts";
import type { CniService } from "../cni/service.ts";
import { LATEST_VERSION, answerVersion } from "../cni/version.ts";
import type { StoreHandler } from "../datastore/server.ts";
import { createServer } from "../system/http.ts";
import { type Log, describeError } from "../system/log.ts";
import type { ApiHandler } from "../web/api.ts";
import { jsonReply, sendReply } from "../web/reply.ts";
import { collectGarbage } from "./memory.ts";
import { hasCode } from "../system/error-code.ts";

/** The longest that `GET /status?wait=ready` waits. */
const MAX_WAIT_MS = 60_000;

/** What the socket serves. */
export interface AgentServices {
  readonly datastore: StoreHandler;
  readonly cni: CniService;
  readonly api: ApiHandler;
  /** Gives this node another WireGuard key, and tells its public one once the others can know it. */
  readonly rotateKeys: (options: { readonly signal: AbortSignal }) => Promise<string>;
  status(): object;
  /** Finds out what passes on the ways to the other nodes. */
  readonly check: (options: { readonly signal: AbortSignal }) => Promise<object>;
  /** Compares the kernel, read afresh, with the desired state. */
  readonly differences: (options: { readonly signal: AbortSignal }) => Promise<object>;
  /** Resolves when the agent is ready; rejects with the signal's reason. */
  readonly ready: (options: { readonly signal: AbortSignal }) => Promise<void>;
  /** Resolves when nothing at all is amiss; rejects likewise. */
  readonly settled: (options: { readonly signal: AbortSignal }) => Promise<void>;
}

/**
 * Serves CNI, status and the datastore by HTTP on a unix socket that only root may open. Throws where another agent
 * answers on the socket; a socket that nobody listens on any more is replaced.
 */
export async function serveAgent(path: string, services: AgentServices, log: Log): Promise<AsyncDisposable> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await removeStaleSocket(path);
  const server = createServer((request, response) => {
    answer(request, response, services).catch((error: unknown) => {
      log.error("Cannot answer a request", { path: request.url, error });
      send(response, 500, { error: "internal" });
    });
  });
  // A client that is late to see an idle connection closed would lose its next call on it: clients close theirs.
  server.keepAliveTimeout = 0;
  await listen(server, path);
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      // What runtimes have been promised is finished first; watches and long polls are simply cut.
      await services.cni[Symbol.asyncDispose]();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The socket file gets mode 0600 as it is made: there is no moment in which others could open it. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
  await once(server, "listening");
}

async function removeStaleSocket(path: string): Promise<void> {
  const file = await lstat(path).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (file === undefined) return;
  if (!file.isSocket()) throw new Error(`Cannot serve on "${path}": there is something else of that name`);
  if (await isAnswered(path)) throw new Error(`Cannot serve on "${path}": another agent answers there`);
  await unlink(path);
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  services: AgentServices,
): Promise<void> {
  if (await services.datastore(request, response)) return;
  if (services.api(request, response)) return;
  const url = new URL(request.url ?? "/", "http://margay");
  switch (`${request.method ?? ""} ${url.pathname}`) {
    case "GET /status":
      await answerStatus(url.searchParams, response, services);
      return;
    case "POST /cni":
      await answerCni(request, response, services.cni);
      return;
    case "POST /wireguard/rotate":
      await answerRotation(response, services);
      return;
    case "POST /check":
      await answerWith(response, services.check);
      return;
    case "GET /differences":
      await answerWith(response, services.differences);
      return;
    default:
      send(response, 404, { error: `there is no ${request.method ?? ""} ${url.pathname}` });
  }
}

/**
 * `?wait=ready&timeoutMs=N` holds the answer back until the agent is ready, `?wait=settled` until nothing is amiss, or until the time is
 * over; `?collect=garbage` collects it first, so that memory figures can be compared.
 */
async function answerStatus(
  query: URLSearchParams,
  response: ServerResponse,
  services: AgentServices,
): Promise<void> {
  if (query.get("collect") === "garbage") collectGarbage();
  const wait = { ready: services.ready, settled: services.settled }[query.get("wait") ?? ""];
  if (wait !== undefined) {
    using gone = watchGone(response);
    // Met or not, the status tells.
    await wait({ signal: AbortSignal.any([gone.signal, AbortSignal.timeout(waitMs(query))]) }).catch(
      () => undefined,
    );
  }
  send(response, 200, services.status());
}

async function answerRotation(response: ServerResponse, { rotateKeys }: AgentServices): Promise<void> {
  using gone = watchGone(response);
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(MAX_WAIT_MS)]);
  try {
    send(response, 200, { publicKey: await rotateKeys({ signal }) });
  } catch (error) {
    send(response, 422, { error: describeError(error) });
  }
}

async function answerWith(
  response: ServerResponse,
  find: (options: { readonly signal: AbortSignal }) => Promise<object>,
): Promise<void> {
  using gone = watchGone(response);
  try {
    send(response, 200, await find({ signal: gone.signal }));
  } catch (error) {
    send(response, 422, { error: describeError(error) });
  }
}

function waitMs(query: URLSearchParams): number {
  const asked = Math.trunc(Number(query.get("timeoutMs") ?? MAX_WAIT_MS));
  return Number.isNaN(asked) ? 0 : Math.min(Math.max(asked, 0), MAX_WAIT_MS);
}

/** Answers with exactly what the plugin is to print. */
async function answerCni(request: IncomingMessage, response: ServerResponse, cni: CniService): Promise<void> {
  using gone = watchGone(response);
  let version = LATEST_VERSION;
  try {
    const { environment, stdin } = decodeCall(await readCall(request));
    const config = parseConfig(stdin);
    version = answerVersion(config["cniVersion"]);
    const result = await cni.handle({ environment, config }, { signal: gone.signal });
    sendText(response, 200, result === undefined ? "" : `${JSON.stringify(result)}\n`);
  } catch (error) {
    const failure =
      error instanceof CniError ? error : new CniError("internal", String(error), { cause: error });
    sendText(response, 422, `${JSON.stringify(failure.render(version))}\n`);
  }
}

async function readCall(request: IncomingMessage): Promise<Buffer> {
  if (request.headers["content-type"] !== CALL_TYPE)
    throw new CniError(
      "tryAgainLater",
      'Cannot read the call: the plugin is of another version than the agent; "margay node install" replaces it',
    );
  const length = Number(request.headers["content-length"] ?? NaN);
  if (!(length <= MAX_CALL_BYTES))
    throw new CniError(
      "decode",
      `Cannot read the call: its length is missing or over ${MAX_CALL_BYTES} bytes`,
    );
  return await readBuffer(request);
}

/** A signal that aborts when whoever asked has gone without waiting for the answer. */
function watchGone(response: ServerResponse): Disposable & { readonly signal: AbortSignal } {
  const gone = new AbortController();
  const leave = (): void => {
    gone.abort(new Error("Whoever asked has gone"));
  };
  response.once("close", leave);
  return {
    signal: gone.signal,
    [Symbol.dispose]() {
      response.off("close", leave);
    },
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  sendReply(response, jsonReply(status, body));
}

function sendText(response: ServerResponse, status: number, body: string): void {
  sendReply(response, { status, type: "application/json", body });
}
