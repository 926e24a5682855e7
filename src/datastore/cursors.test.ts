// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cursors } from "./cursors.ts";

test("a write wakes those it concerns, and moves the idle others along", async () => {
  const cursors = new Cursors();
  using concerned = cursors.open("/a/", 5);
  using idle = cursors.open("/b/", 5);
  const woken: string[] = [];
  const waits = [concerned, idle].map(async (cursor) => {
    await cursor.woken();
    woken.push(cursor.prefix);
  });
  cursors.advance(["/a/1", "/c/1"], 5, 7);
  await waits[0];
  assert.deepEqual(woken, ["/a/"]);
  assert.equal(concerned.position, 5, "what concerns it is still to be read");
  assert.equal(idle.position, 7);
  cursors.wakeAll();
  await Promise.all(waits);
});

test("one that lags is left where it is", () => {
  const cursors = new Cursors();
  using lagging = cursors.open("/a/", 3);
  cursors.advance(["/b/1"], 5, 6);
  assert.equal(lagging.position, 3);
});

test("a disposed cursor is forgotten", () => {
  const cursors = new Cursors();
  const cursor = cursors.open("/a/", 1);
  assert.equal(cursors.size, 1);
  cursor[Symbol.dispose]();
  assert.equal(cursors.size, 0);
});
