// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseBfdSessions } from "./bfd.ts";
import { type Reply, ReplyReader } from "./reply.ts";

/** What BIRD 2.0.12 answers to `show bfd sessions`. */
const SESSIONS = `1020-bfd1:
 IP address                Interface  State      Since         Interval  Timeout
 192.168.0.2               ---        Up         2026-11-25 22:03:35.399    0.100    0.500
 fd00::2                   eth0       Down       2026-11-25 22:03:35.479    1.000    0.000
0000 
`;

function reply(text: string): Reply {
  const [event] = new ReplyReader().push(text);
  assert.ok(event?.kind === "reply");
  return event.reply;
}

describe("the BFD sessions of BIRD", () => {
  it("are read with their states", () => {
    const states = [...parseBfdSessions(reply(SESSIONS))];
    assert.deepEqual(states, [
      ["192.168.0.2", "Up"],
      ["fd00::2", "Down"],
    ]);
  });

  it("are none where none are listed, and while BFD does not run", () => {
    const [, titles = ""] = SESSIONS.split("\n");
    assert.equal(parseBfdSessions(reply(`1020-bfd1:\n${titles}\n0000 \n`)).size, 0);
    assert.equal(parseBfdSessions(reply("1020-bfd1: is not up\n0000 \n")).size, 0);
  });

  for (const [title, from, to] of [
    ["an unknown state", "Up  ", "Ok  "],
    ["a time in another format", "2026-11-25 22:03:35.399", "22:03:35.399"],
    ["no address", "192.168.0.2", "somewhere"],
    ["a missing column", "---", ""],
    ["a further column", "0.500", "0.500  0.500"],
  ] as const)
    it(`throw for ${title}`, () => {
      assert.ok(SESSIONS.includes(from));
      assert.throws(() => parseBfdSessions(reply(SESSIONS.replace(from, to))), SyntaxError);
    });
});
