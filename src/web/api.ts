// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Reply, jsonReply, refusal, sendReply } from "./reply.ts";
import { EXPOSITION_TYPE, renderExposition } from "./exposition.ts";
import { describeApi } from "./openapi.ts";
import { METRICS_PATH, OPENAPI_PATH, RESOURCES, RESOURCE_NAMES } from "./resources.ts";
import type { ApiSources } from "./sources.ts";
import type { Tally } from "./tally.ts";

/** Answers one request; `false`, with nothing touched, where its path is none of the API's. */
export type ApiHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Nothing is changed by what is served, so these are all the methods there are. */
const METHODS: readonly string[] = ["GET", "HEAD"];

/** The read-only API; `answers` counts what it answers with. A path is one of a few texts or none: there is nothing in it to be resolved, decoded or left by `..`. */
export function createApiHandler(sources: ApiSources, answers: Tally): ApiHandler {
  const replies = new Map<string, () => Reply>([
    ...RESOURCE_NAMES.map((name) => [RESOURCES[name].path, () => replyOf(sources[name]())] as const),
    [OPENAPI_PATH, () => jsonReply(200, describeApi(sources.version))],
    [METRICS_PATH, () => ({ status: 200, type: EXPOSITION_TYPE, body: renderExposition(sources.metrics()) })],
  ]);
  return (request, response) => {
    const [path = "", query] = (request.url ?? "").split("?", 2);
    const reply = replies.get(path);
    if (reply === undefined) return false;
    const answer = fault(request.method, query) ?? reply();
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

function fault(method = "", query: string | undefined): Reply | undefined {
  if (!METHODS.includes(method))
    return { ...refusal(405, `want ${METHODS.join(" or ")}`), headers: { allow: METHODS.join(", ") } };
  return query === undefined ? undefined : refusal(400, "there is nothing to be asked for by a query");
}
