// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LogEvent } from "../../web/view/view.ts";
import { LOG_LENGTH, addEvent } from "./log.ts";

function event(id: number, atMs = id): LogEvent {
  return { id: String(id), atMs, node: null, level: "info", text: "" };
}

describe("the log", () => {
  it("has a line that is told twice once", () => {
    const log = addEvent([event(1)], event(2));
    assert.equal(addEvent(log, event(1)), log);
  });

  it("is in the order of time, though lines of two nodes come out of it", () => {
    const log = [event(1, 10), event(2, 30), event(3, 20)].reduce(addEvent, []);
    assert.deepEqual(
      log.map(({ id }) => id),
      ["1", "3", "2"],
    );
  });

  it("forgets the oldest", () => {
    const log = Array.from({ length: LOG_LENGTH + 3 }, (_, index) => event(index)).reduce(addEvent, []);
    assert.equal(log.length, LOG_LENGTH);
    assert.equal(log[0]?.id, "3");
  });
});
