// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventLog } from "./event-log.ts";
import type { LogEvent } from "./view.ts";

function event(id: string, atMs = 0): LogEvent {
  return { id, atMs, node: "host1", level: "info", text: `event ${id}` };
}

const ids = (events: readonly LogEvent[]): string => events.map(({ id }) => id).join("");

describe("the log", () => {
  it("gives what has come since, and keeps the last ones", () => {
    const log = new EventLog(3);
    assert.deepEqual(log.since(0), []);
    for (const id of "abcd") log.add(event(id));
    assert.equal(ids(log.since(0)), "bcd");
    assert.equal(ids(log.since(2)), "cd");
    assert.equal(ids(log.since(log.added)), "");
  });

  it("takes a line that is told again once", () => {
    const log = new EventLog();
    for (const id of "aab") log.add(event(id));
    assert.equal(ids(log.since(0)), "ab");
    assert.equal(log.added, 2);
  });

  it("puts lines of several nodes in the order of their times", () => {
    const log = new EventLog();
    log.add(event("b", 2));
    log.add(event("a", 1));
    assert.equal(ids(log.since(0)), "ab");
  });
});
