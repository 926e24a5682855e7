// SPDX-License-Identifier: Apache-2.0
import { SESSION_STATES, type SessionState } from "../model/bgp-session.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import type { BfdState } from "./bfd.ts";
import type { Reply } from "./reply.ts";

/** One BGP session, as `show protocols all` tells of it. */
export interface Session {
  /** The name of its protocol. */
  readonly name: string;
  readonly peer: Ip;
  readonly state: SessionState;
  /** When its protocol last changed its state; milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Routes taken from the peer, and given to it. */
  readonly imported: number;
  readonly exported: number;
  /** Whether the peer is away and its routes are kept for a while (graceful restart). */
  readonly peerRestarting: boolean;
  /** Why it last ended or did not come about, in BIRD's words. */
  readonly lastError: string | undefined;
  /** The state of the BFD session beside it, where it has one. */
  readonly bfd: BfdState | undefined;
}

/** Code 1002: a protocol's line of the table. */
const ROW = 1002;
/** Code 1006: the lines of its details. */
const DETAIL = 1006;

/**
 * The BGP sessions in the answer to `show protocols all`, sorted by name. Other protocols are left out.
 * Times are read as UTC, with `timeformat protocol iso long ms`. Throws `SyntaxError` where a line is not as BIRD 2 writes it.
 */
export function parseSessions(reply: Reply): readonly Session[] {
  const sessions: Session[] = [];
  for (const [index, { code, text }] of reply.entries()) {
    if (code !== ROW || text.trim().split(/\s+/)[1] !== "BGP") continue;
    const rest = reply.slice(index + 1);
    const end = rest.findIndex(({ code }) => code !== DETAIL);
    sessions.push(parseSession(text, rest.slice(0, end < 0 ? rest.length : end)));
  }
  return sessions.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Whether the answer to `show protocols all` has BFD among them. */
export function hasBfd(reply: Reply): boolean {
  return reply.some(({ code, text }) => code === ROW && text.trim().split(/\s+/)[1] === "BFD");
}

function parseSession(row: string, details: Reply): Session {
  const [, name, time] =
    /^(\S+)\s+BGP\s+\S+\s+\S+\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})(\s|$)/.exec(row) ?? [];
  if (name === undefined || time === undefined)
    throw new SyntaxError(`Cannot read BIRD's protocol "${row}": want name, kind, table, state and time`);
  const field = (label: string): string | undefined =>
    details
      .find(({ text }) => text.trimStart().startsWith(`${label}:`))
      ?.text.split(":")
      .slice(1)
      .join(":")
      .trim();
  const routes = field("Routes");
  return {
    name,
    peer: parseIp(field("Neighbor address") ?? ""),
    state: parseState(field("BGP state") ?? ""),
    sinceMs: Date.parse(`${time.replace(" ", "T")}Z`),
    imported: parseCount(routes, "imported"),
    exported: parseCount(routes, "exported"),
    peerRestarting: details.some(({ text }) => text.trim() === "Neighbor graceful restart active"),
    lastError: field("Last error"),
    bfd: undefined,
  };
}

function parseState(text: string): SessionState {
  const state = SESSION_STATES.find((state) => state === text);
  if (state === undefined) throw new SyntaxError(`Cannot read BIRD's session state "${text}": it is none`);
  return state;
}

/** Of `2 imported, 1 filtered, 2 exported, 2 preferred`; a session that is down has no such line. */
function parseCount(routes: string | undefined, what: string): number {
  if (routes === undefined) return 0;
  const [, digits] = new RegExp(`(?:^|, )([0-9]+) ${what}(?:,|$)`).exec(routes) ?? [];
  if (digits === undefined) throw new SyntaxError(`Cannot read BIRD's routes "${routes}": none are ${what}`);
  return Number(digits);
}

/** Whether the answer to `show status` says that a restarted BIRD still waits for its peers (code 24). */
export function parseRecovery(reply: Reply): boolean {
  return reply.some(({ code }) => code === 24);
}
