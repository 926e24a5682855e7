// SPDX-License-Identifier: Apache-2.0
// Who may ask by TCP: programs of this machine that know the token, and no page that a browser has from elsewhere.
import type { IncomingMessage } from "node:http";
import { type Reply, refusal } from "./reply.ts";
import type { TokenCheck } from "./token.ts";

/** The address that is listened on, and its name. */
export const LOOPBACK_HOST = "127.0.0.1";
const HOSTS: readonly string[] = [LOOPBACK_HOST, "localhost"];

export interface Gate {
  readonly port: number;
  readonly isToken: TokenCheck;
}

/** What speaks against answering the request, if anything does. */
export function faultOf(request: IncomingMessage, { port, isToken }: Gate): Reply | undefined {
  const authorities = HOSTS.map((host) => `${host}:${port}`);
  const { host = [], origin = [], authorization = [] } = request.headersDistinct;
  // A name that somebody has led to this address (DNS rebinding) is not ours.
  if (!isOneOf(host, authorities)) return refusal(403, `want Host: ${authorities.join(" or ")}`);
  const origins = authorities.map((authority) => `http://${authority}`);
  if (origin.length > 0 && !isOneOf(origin, origins)) return refusal(403, "pages from elsewhere may not ask");
  if (hasBody(request)) return closing(refusal(413, "want no body"));
  if (authorization.length === 1 && isToken(authorization[0])) return undefined;
  return { ...refusal(401, "want Authorization: Bearer, and the token"), headers: CHALLENGE };
}

/** RFC 6750 section 3. */
const CHALLENGE = { "www-authenticate": 'Bearer realm="margay"' } as const;

/** Exactly one, and one of these. */
function isOneOf([value, ...more]: readonly string[], allowed: readonly string[]): boolean {
  return value !== undefined && more.length === 0 && allowed.includes(value.toLowerCase());
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Nobody waits for what else is sent. */
function closing(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, connection: "close" } };
}
