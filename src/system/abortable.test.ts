// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { abortable, Turns } from "./abortable.ts";

const reason = new Error("enough");
const isReason = (error: unknown): boolean => error === reason;

describe("an abortable wait", () => {
  it("gives what the promise comes to", async () => {
    const { signal } = new AbortController();
    assert.equal(await abortable(Promise.resolve(7), signal), 7);
    await assert.rejects(abortable(Promise.reject(reason), signal), isReason);
    assert.equal(await abortable(Promise.resolve(7)), 7);
  });

  it("ends with the signal's reason, also where that came first", async () => {
    const controller = new AbortController();
    const never = new Promise<never>(() => undefined);
    const waiting = abortable(never, controller.signal);
    controller.abort(reason);
    await assert.rejects(waiting, isReason);
    await assert.rejects(abortable(never, controller.signal), isReason);
  });
});

describe("turns", () => {
  it("run one after the other, in order, also past one that fails", async () => {
    const turns = new Turns();
    const events: string[] = [];
    const gate = Promise.withResolvers<undefined>();
    const first = turns.take(async () => {
      events.push("first starts");
      await gate.promise;
      events.push("first ends");
      throw reason;
    });
    const second = turns.take(() => Promise.resolve(events.push("second")));
    gate.resolve(undefined);
    await assert.rejects(first, isReason);
    await second;
    assert.deepEqual(events, ["first starts", "first ends", "second"]);
  });

  it("keep their place though the caller gave up waiting", async () => {
    const turns = new Turns();
    const gate = Promise.withResolvers<undefined>();
    const controller = new AbortController();
    const started = Promise.withResolvers<undefined>();
    const first = turns.take(() => {
      started.resolve(undefined);
      return gate.promise;
    }, controller.signal);
    let ran = false;
    const second = turns.take(() => Promise.resolve((ran = true)));
    await started.promise;
    controller.abort(reason);
    await assert.rejects(first, isReason);
    assert.equal(ran, false);
    gate.resolve(undefined);
    await second;
  });

  it("are skipped where the signal aborts before they start", async () => {
    const turns = new Turns();
    const gate = Promise.withResolvers<undefined>();
    const controller = new AbortController();
    const first = turns.take(() => gate.promise);
    const second = turns.take(() => assert.fail("started"), controller.signal);
    controller.abort(reason);
    await assert.rejects(second, isReason);
    gate.resolve(undefined);
    await first;
    await turns.idle();
  });
});
