// SPDX-License-Identifier: Apache-2.0
import type { ServerResponse } from "node:http";

/** An answer, whole. */
export interface Reply {
  readonly status: number;
  /** Its media type. */
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function jsonReply(status: number, answer: object): Reply {
  return { status, type: "application/json", body: JSON.stringify(answer) };
}

/** That nothing else is answered, and why. */
export function refusal(status: number, error: string): Reply {
  return jsonReply(status, { error });
}

/** Sends it, unless an answer has begun: then its end is cut off, so that nobody takes it for a whole one. To a HEAD, `node:http` leaves the body out. */
export function sendReply(response: ServerResponse, { status, type, body, headers }: Reply): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    ...headers,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  response.end(body);
}
