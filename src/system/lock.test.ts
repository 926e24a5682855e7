// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lock } from "./lock.ts";

test("tasks of one key run one at a time, in order, and those of others beside them", async () => {
  const lock = new Lock();
  const seen: string[] = [];
  const gate = Promise.withResolvers<undefined>();
  const first = lock.run("a", async () => {
    seen.push("a1 begins");
    await gate.promise;
    seen.push("a1 ends");
  });
  const second = lock.run("a", () => Promise.resolve(seen.push("a2")));
  await lock.run("b", () => Promise.resolve(seen.push("b")));
  gate.resolve(undefined);
  await Promise.all([first, second]);
  assert.deepEqual(seen, ["a1 begins", "b", "a1 ends", "a2"]);
});

test("a task that fails lets the next one run", async () => {
  const lock = new Lock();
  const first = lock.run("a", () => Promise.reject(new Error("no")));
  const second = lock.run("a", () => Promise.resolve("yes"));
  await assert.rejects(first, /^Error: no$/);
  assert.equal(await second, "yes");
});

test("who leaves the line at once keeps nobody behind from waiting for those before", async () => {
  const lock = new Lock();
  const gate = Promise.withResolvers<undefined>();
  const seen: string[] = [];
  const first = lock.run("a", async () => {
    await gate.promise;
    seen.push("first");
  });
  const controller = new AbortController();
  const second = lock.run("a", () => Promise.resolve(seen.push("second")), controller.signal);
  const third = lock.run("a", () => Promise.resolve(seen.push("third")));
  controller.abort(new Error("left"));
  await assert.rejects(second, /^Error: left$/);
  assert.deepEqual(seen, []);
  gate.resolve(undefined);
  await Promise.all([first, third]);
  assert.deepEqual(seen, ["first", "third"]);
});
