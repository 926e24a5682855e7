// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Reply, jsonReply, refusal, sendReply } from "./reply.ts";
import { createEventStreams } from "./events.ts";
import { EXPOSITION_TYPE, renderExposition } from "./exposition.ts";
import { describeApi } from "./openapi.ts";
import { EVENTS_PATH, METRICS_PATH, OPENAPI_PATH, RESOURCES, RESOURCE_NAMES } from "./resources.ts";
import type { ApiSources } from "./sources.ts";
import type { Tally } from "./tally.ts";

/** Answers one request; `false`, with nothing touched, where its path is none of the API's. */
export type ApiHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Nothing is changed by what is served, so these are all the methods there are. */
const METHODS: readonly string[] = ["GET", "HEAD"];

/** The read-only API; `answers` counts what it answers with. A path is one of a few texts or none: there is nothing in it to be resolved, decoded or left by `..`. */
export function createApiHandler(sources: ApiSources, answers: Tally): ApiHandler {
  const streams = createEventStreams({ read: sources.readiness, until: sources.until });
  let description: Reply | undefined;
  const replies = new Map<string, () => Reply>([
    ...RESOURCE_NAMES.map((name) => [RESOURCES[name].path, () => replyOf(sources[name]())] as const),
    [METRICS_PATH, () => ({ status: 200, type: EXPOSITION_TYPE, body: renderExposition(sources.metrics()) })],
    [OPENAPI_PATH, () => (description ??= jsonReply(200, describeApi(sources.version)))],
    [EVENTS_PATH, () => refusal(503, "as many follow as may")],
  ]);
  return (request, response) => {
    const [path = "", query] = (request.url ?? "").split("?", 2);
    const reply = replies.get(path);
    if (reply === undefined) return false;
    const refused = fault(path, request.method, query);
    if (path === EVENTS_PATH && refused === undefined && streams.begin(response)) {
      answers.note("200");
      return true;
    }
    const answer = refused ?? reply();
    answers.note(String(answer.status));
    sendReply(response, answer);
    return true;
  };
}

/** An answer that says that not all is well has a status that says so too: it is all that some probes look at. */
function replyOf(answer: object): Reply {
  const isWell = !("ok" in answer) || answer.ok === true;
  return jsonReply(isWell ? 200 : 503, answer);
}

function fault(path: string, method = "", query: string | undefined): Reply | undefined {
  // A stream has no length, and no end, that could be told without it.
  const methods = path === EVENTS_PATH ? ["GET"] : METHODS;
  if (!methods.includes(method))
    return { ...refusal(405, `want ${methods.join(" or ")}`), headers: { allow: methods.join(", ") } };
  return query === undefined ? undefined : refusal(400, "there is nothing to be asked for by a query");
}
