// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../system/clock.ts";
import { type Log, describeError } from "../../system/log.ts";
import type { ApiHandler } from "../api.ts";
import { watchGone } from "../gone.ts";
import { type Reply, refusal, sendReply } from "../reply.ts";
import type { Tally } from "../tally.ts";
import { type FeedOptions, ViewFeed } from "./feed.ts";
import { TRACE_PATH, VIEW_EVENTS_PATH, VIEW_PATH } from "./paths.ts";
import { type DashboardSources, NODE_DETAILS, type NodeDetail } from "./source.ts";
import { createTraceDesk } from "./trace-desk.ts";

/** Names of nodes need no decoding. */
const DETAIL_PATH = new RegExp(`^/api/v1/nodes/([a-z0-9][a-z0-9.-]{0,252})/(${NODE_DETAILS.join("|")})$`);

const DETAIL_TIMEOUT_MS = 5000;

export interface DashboardCollaborators {
  readonly sources: DashboardSources;
  readonly answers: Tally;
  readonly clock: Clock;
  readonly log: Log;
}

/** The paths that the dashboard asks for; disposing it ends the streams. */
export interface Dashboard extends AsyncDisposable {
  readonly handle: ApiHandler;
}

export function createDashboard(
  { sources, answers, clock, log }: DashboardCollaborators,
  options?: FeedOptions,
): Dashboard {
  const feed = new ViewFeed({ open: sources.open, clock }, options);
  const trace = createTraceDesk(sources.trace);
  const send = (response: ServerResponse, reply: Reply): void => {
    answers.note(String(reply.status));
    sendReply(response, reply);
  };
  const answer = async ({ path, query }: Question, response: ServerResponse): Promise<Reply> => {
    if (path === VIEW_PATH) return { status: 200, type: "application/json", body: await feed.whole() };
    using gone = watchGone(response);
    const [, node, detail] = DETAIL_PATH.exec(path) ?? [];
    if (node === undefined) return await trace(query ?? "", gone.signal);
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(DETAIL_TIMEOUT_MS)]);
    return (
      (await sources.detail(node, detail as NodeDetail, signal)) ?? refusal(404, "no such node is known here")
    );
  };
  const handle: ApiHandler = (request, response) => {
    const question = questionIn(request);
    if (!isOurs(question)) return false;
    const refused = fault(question);
    if (refused !== undefined) {
      send(response, refused);
    } else if (question.path === VIEW_EVENTS_PATH) {
      if (feed.follow(response)) answers.note("200");
      else send(response, refusal(503, "as many follow as may"));
    } else {
      answer(question, response).then(
        (reply) => {
          send(response, reply);
        },
        (error: unknown) => {
          if (response.destroyed) return;
          log.warn("Cannot answer for the dashboard", { path: question.path, error });
          send(response, refusal(503, describeError(error)));
        },
      );
    }
    return true;
  };
  return { handle, [Symbol.asyncDispose]: () => feed[Symbol.asyncDispose]() };
}

interface Question {
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
}

function questionIn({ method = "", url = "" }: IncomingMessage): Question {
  const mark = url.indexOf("?");
  return mark < 0
    ? { method, path: url, query: undefined }
    : { method, path: url.slice(0, mark), query: url.slice(mark + 1) };
}

function isOurs({ path }: Question): boolean {
  return [VIEW_PATH, VIEW_EVENTS_PATH, TRACE_PATH].includes(path) || DETAIL_PATH.test(path);
}

function fault({ method, path, query }: Question): Reply | undefined {
  // A stream has no end; and a probe is sent for who reads what came of it.
  const methods = path === VIEW_EVENTS_PATH || path === TRACE_PATH ? ["GET"] : ["GET", "HEAD"];
  if (!methods.includes(method))
    return { ...refusal(405, `want ${methods.join(" or ")}`), headers: { allow: methods.join(", ") } };
  if (path === TRACE_PATH || query === undefined) return undefined;
  return refusal(400, "there is nothing to be asked for by a query");
}
