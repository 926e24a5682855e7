// SPDX-License-Identifier: Apache-2.0
import { type Reply, jsonReply, refusal } from "../reply.ts";
import type { Tracer } from "./source.ts";
import { parseTraceQuestion } from "./trace-question.ts";

/** For both ways, and whatever a probe waits for. */
const TIMEOUT_MS = 15_000;
const RETRY_SECONDS = 2;

/** Answers who asks for a trace by a query. */
export type TraceDesk = (query: string, gone: AbortSignal) => Promise<Reply>;

/** One probe is under way at a time: each is looked for in every namespace, and each may last. */
export function createTraceDesk(tracer: Tracer | undefined, timeoutMs = TIMEOUT_MS): TraceDesk {
  let isBusy = false;
  return async (query, gone) => {
    if (tracer === undefined) return refusal(404, "nobody here sends probes");
    const parsed = parseTraceQuestion(query);
    if (parsed.kind === "invalid") return refusal(400, parsed.why);
    if (isBusy)
      return {
        ...refusal(503, "another trace is under way"),
        headers: { "retry-after": String(RETRY_SECONDS) },
      };
    isBusy = true;
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const outcome = await tracer(parsed.question, { signal: AbortSignal.any([gone, timeout]) });
      return outcome.kind === "traced" ? jsonReply(200, outcome.trace) : refusal(404, outcome.why);
    } catch (error) {
      if (timeout.aborted) return refusal(503, `the trace was not through after ${timeoutMs} ms`);
      throw error;
    } finally {
      isBusy = false;
    }
  };
}
