// SPDX-License-Identifier: Apache-2.0
import { type Ip, parseIp } from "../net/ip.ts";
import type { Reply } from "./reply.ts";

/** The states of RFC 5880 section 4.1. */
export type BfdState = (typeof STATES)[number];

const STATES = ["AdminDown", "Down", "Init", "Up"] as const;

/** Code 1020: all lines of the answer. */
const LINE = 1020;
/** The protocol's name, or that it does not run; and the titles of the columns. */
const NO_SESSION = /^(\S+:( is not up)?|IP address\s.*)?$/;

/**
 * The state of the BFD session with each address, of the answer to `show bfd sessions`. Throws `SyntaxError` where a line is not as
 * BIRD 2 writes it.
 */
export function parseBfdSessions(reply: Reply): ReadonlyMap<Ip, BfdState> {
  const rows = reply
    .filter(({ code }) => code === LINE)
    .map(({ text }) => text.trim())
    .filter((text) => !NO_SESSION.test(text));
  return new Map(rows.map(parseRow));
}

function parseRow(row: string): readonly [Ip, BfdState] {
  const [, address = "", text] =
    /^(\S+)\s+\S+\s+(\S+)\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}(?:\s+\d+\.\d{3}){2}$/.exec(row) ?? [];
  const state = STATES.find((state) => state === text);
  if (state === undefined)
    throw new SyntaxError(
      `Cannot read BIRD's BFD session "${row}": want address, interface, state, time, interval and timeout`,
    );
  return [parseIp(address), state];
}
