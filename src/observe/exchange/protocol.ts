// SPDX-License-Identifier: Apache-2.0
// A trace that another node's agent takes part in, by way of the datastore, since agents have no other way to each other.
//
// 1. The asker writes a request below the name of the node: the marker of its probe.
// 2. The agent there begins to capture, and answers that it listens.
// 3. The asker sends its probe, and writes into the request what came of it.
// 4. The agent answers with what it saw, and what its kernels say.
// 5. Where the report does not explain why the packet did not leave that node, the asker says so in the request, and sends its probe again and again;
//    the agent has nftables trace it for some seconds, and answers with the rule that drops it. An agent that knows nothing of this answers nothing.
// 6. The asker removes both. Where it has died, the agent does so when the time of the request is over, or as it starts again; where the agent has
//    died, the asker does; and what both have left goes with the next request to that node.
import type { z } from "zod";
import type { NftDrop } from "../../dataplane/nft/trace-output.ts";
import { parseNodeName } from "../../model/name.ts";
import type { Output } from "../../model/schema.ts";
import type { RemoteReport } from "../remote-post.ts";
import { answerSchema, requestSchema } from "./schema.ts";

export type TraceRequest = Output<typeof requestSchema>;
export type TraceAnswer =
  | { readonly phase: "listening" }
  | { readonly phase: "refused"; readonly reason: string }
  | ({ readonly phase: "report" } & Omit<RemoteReport, "kind" | "node">)
  /** Null where no rule dropped it meanwhile. */
  | { readonly phase: "drop"; readonly drop: NftDrop | null };

/** Beside Calico's own root, which knows nothing of the kind. */
const ROOT = "/margay/trace/v1/";
/** How long an agent keeps a request that nobody removes. */
export const LIFETIME_MS = 20_000;
/** A request of such an age has been left by an asker and an agent that both have died, however their clocks differ. */
export const ABANDONED_MS = 600_000;
/** How many traces one agent takes part in at a time, and how many requests may stand there. */
export const MOST_TRACES = 2;
export const MOST_REQUESTS = 8;
/** Octets of what one agent answers. */
export const MOST_ANSWER_BYTES = 256 * 1024;
const MOST_REQUEST_BYTES = 4096;
const ID = /^[0-9a-f]{16}$/;

/** What the keys of all requests to a node start with; throws `SyntaxError` for what is no name of one. */
export function tracePrefix(node: string): string {
  return `${ROOT}${parseNodeName(node)}/`;
}

export function requestKey(node: string, id: string): string {
  return `${tracePrefix(node)}${id}/request`;
}

export function answerKey(node: string, id: string): string {
  return `${tracePrefix(node)}${id}/answer`;
}

/** `undefined` for a key that is neither. */
export function parseTraceKey(
  node: string,
  key: string,
): { readonly id: string; readonly part: "request" | "answer" } | undefined {
  const prefix = tracePrefix(node);
  const [id = "", part, ...rest] = key.startsWith(prefix) ? key.slice(prefix.length).split("/") : [];
  if (!ID.test(id) || rest.length > 0 || (part !== "request" && part !== "answer")) return undefined;
  return { id, part };
}

/** `undefined` for what is no request: too long, no JSON, or of other fields. */
export function parseRequest(value: string): TraceRequest | undefined {
  return parse(requestSchema, value, MOST_REQUEST_BYTES);
}

/** Likewise of answers. */
export function parseAnswer(value: string): TraceAnswer | undefined {
  return parse(answerSchema, value, MOST_ANSWER_BYTES);
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  mostBytes: number,
): z.output<Schema> | undefined {
  if (Buffer.byteLength(text) > mostBytes) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
