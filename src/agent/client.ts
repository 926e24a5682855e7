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
export async function askAgent(socketPath: string, path: string, options: AskOptions): Promise<unknown> {
  const { status, body } = await readAgent(socketPath, path, options);
  const answer: unknown = JSON.parse(body);
  if (status === 200) return answer;
  throw new Error(errorIn(answer) ?? `Cannot ask the agent: it answers with status ${status}`);
}

/** The same as text, whatever its status. */
export async function readAgent(
  socketPath: string,
  path: string,
  { method = "GET", signal }: AskOptions,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  const question = request({ socketPath, path, method, signal, agent: false });
  question.end();
  const [response] = (await once(question, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

function errorIn(answer: unknown): string | undefined {
  const isError = typeof answer === "object" && answer !== null && "error" in answer;
  return isError && typeof answer.error === "string" ? answer.error : undefined;
}
