// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { request } from "../system/http.ts";

export interface AskOptions {
  readonly method?: "GET" | "POST";
  readonly signal: AbortSignal;
}

/**
 * What the agent that listens on the socket answers, as it is. Rejects with the system's error, such as `ENOENT`, where none does, and with the
 * agent's own words where it cannot do what it is asked.
 */
export async function askAgent(
  socketPath: string,
  path: string,
  { method = "GET", signal }: AskOptions,
): Promise<unknown> {
  const question = request({ socketPath, path, method, signal, agent: false });
  question.end();
  const [response] = (await once(question, "response")) as [IncomingMessage];
  const answer: unknown = JSON.parse(await text(response));
  if (response.statusCode === 200) return answer;
  throw new Error(errorIn(answer) ?? `Cannot ask the agent: it answers with status ${response.statusCode}`);
}

function errorIn(answer: unknown): string | undefined {
  const isError = typeof answer === "object" && answer !== null && "error" in answer;
  return isError && typeof answer.error === "string" ? answer.error : undefined;
}
