// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ControlEvent, codeOf, isError, ReplyReader, textOf } from "./reply.ts";

/** As BIRD 2.0.12 sends it, with a line of its log amid the answer. */
const SHOW_STATUS = [
  "1000-BIRD 2.0.12",
  "1011-Router ID is 192.168.0.101",
  " Hostname is host1",
  "+mesh_192_168_0_102: State changed to up",
  "0013 Daemon is up and running",
  "",
].join("\n");

const EVENTS: readonly ControlEvent[] = [
  { kind: "log", text: "mesh_192_168_0_102: State changed to up" },
  {
    kind: "reply",
    reply: [
      { code: 1000, text: "BIRD 2.0.12" },
      { code: 1011, text: "Router ID is 192.168.0.101" },
      { code: 1011, text: "Hostname is host1" },
      { code: 13, text: "Daemon is up and running" },
    ],
  },
];

describe("the reader of BIRD's answers", () => {
  it("gives whole replies and lines of the log", () => {
    assert.deepEqual(new ReplyReader().push(SHOW_STATUS), EVENTS);
  });

  it("gives the same wherever the stream is cut", () => {
    for (let cut = 0; cut <= SHOW_STATUS.length; cut++) {
      const reader = new ReplyReader();
      const events = [...reader.push(SHOW_STATUS.slice(0, cut)), ...reader.push(SHOW_STATUS.slice(cut))];
      assert.deepEqual(events, EVENTS, `cut at ${cut}`);
    }
  });

  it("keeps the indentation of continued lines", () => {
    const [event] = new ReplyReader().push("1006-  BGP state:          Idle\n     Routes: 0\n0000 \n");
    assert.deepEqual(event, {
      kind: "reply",
      reply: [
        { code: 1006, text: "  BGP state:          Idle" },
        { code: 1006, text: "    Routes: 0" },
        { code: 0, text: "" },
      ],
    });
  });

  it("takes the note of lost lines, which has no sign of its own, for a line of the log", () => {
    assert.deepEqual(new ReplyReader().push("<3 messages lost>\n"), [
      { kind: "log", text: "<3 messages lost>" },
    ]);
  });

  it("throws for lines that are not BIRD's", () => {
    for (const line of ["hello", "", " continued from nothing", "12 short", "0001"])
      assert.throws(() => new ReplyReader().push(`${line}\n`), SyntaxError, line);
  });

  it("tells errors by the code of the last line", () => {
    const reply = [
      { code: 2, text: "Reading configuration from /nowhere" },
      { code: 8002, text: "/nowhere: No such file or directory" },
    ];
    assert.equal(isError(reply), true);
    assert.equal(codeOf(reply), 8002);
    assert.equal(textOf(reply), "/nowhere: No such file or directory");
    assert.equal(isError(reply.slice(0, 1)), false);
  });
});
