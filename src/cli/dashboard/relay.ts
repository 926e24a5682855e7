// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { request as ask } from "../../system/http.ts";
import { type Log, describeError } from "../../system/log.ts";
import type { ApiHandler } from "../../web/api.ts";
import { watchGone } from "../../web/gone.ts";
import { refusal, sendReply } from "../../web/reply.ts";
import type { Tally } from "../../web/tally.ts";

/** What the agent has under it is read-only; it judges what is asked for. */
const PATH = /^\/api\/v1\/[A-Za-z0-9/.-]+(\?[!-~]*)?$/;
const HEADERS = ["content-type", "content-length", "cache-control", "retry-after", "allow"];

/** Passes questions on to the agent that listens on the socket, and its answers back. */
export function createRelay(
  socketPath: string,
  { answers, log }: { readonly answers: Tally; readonly log: Log },
): ApiHandler {
  return (request, response) => {
    const { method = "", url: path = "" } = request;
    if (!PATH.test(path)) return false;
    if (method !== "GET" && method !== "HEAD") {
      answers.note("405");
      sendReply(response, { ...refusal(405, "want GET or HEAD"), headers: { allow: "GET, HEAD" } });
      return true;
    }
    const gone = watchGone(response);
    const question = ask({ socketPath, path, method, agent: false, signal: gone.signal });
    question.once("response", (answer) => {
      answers.note(String(answer.statusCode));
      passOn(answer, response);
    });
    question.on("error", (error) => {
      if (response.destroyed) return;
      log.warn("Cannot ask the agent", { socket: socketPath, error });
      answers.note("503");
      sendReply(response, refusal(503, `the node's agent does not answer: ${describeError(error)}`));
    });
    question.end();
    return true;
  };
}

function passOn(answer: IncomingMessage, response: ServerResponse): void {
  const headers = HEADERS.flatMap((name) => {
    const value = answer.headers[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  response.writeHead(answer.statusCode ?? 502, Object.fromEntries(headers));
  response.flushHeaders();
  // Where either side has gone, so has the other.
  pipeline(answer, response, () => undefined);
}
