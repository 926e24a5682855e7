// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BirdStatus } from "../bird/bird.ts";
import type { SessionState } from "../model/bgp-session.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { createRouteHold } from "./route-hold.ts";

const PEER = parseIp("192.168.0.102");

function running(state: SessionState): BirdStatus {
  const counts = { imported: 0, exported: 0, peerRestarting: false, lastError: undefined, bfd: undefined };
  const session = { name: "mesh_192_168_0_102", peer: PEER, state, sinceMs: 0, ...counts };
  return { kind: "running", pid: 1, version: "2.0.12", sessions: [session], recovering: false };
}

function createTrial() {
  const told: string[] = [];
  const clock = createFakeClock();
  const listeners = new Set<(status: BirdStatus) => void>();
  let status = running("Established");
  const hold = createRouteHold({
    bird: {
      status: () => status,
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    dataplane: {
      holdForBird: () => told.push("held"),
      releaseToBird: () => told.push("released"),
      remoteRoutesInPlace: () => Promise.resolve(),
    },
    clock,
    log: silentLog,
  });
  const idle = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  return {
    told,
    hold,
    async advance(ms: number) {
      clock.advance(ms);
      await idle();
    },
    async enter(next: BirdStatus) {
      status = next;
      for (const listener of listeners) listener(next);
      await idle();
    },
    /** Begins a hold, and ends it as soon as BIRD has its configuration. */
    async holdWith(peers: readonly Ip[]) {
      const begun = hold.begin({ signal: AbortSignal.timeout(60_000) });
      await idle();
      clock.advance(1000);
      await begun;
      hold.endWith(peers);
      await idle();
    },
  };
}

describe("a hold of routes", () => {
  it("is over when the sessions are established again, but not at once", async () => {
    const trial = createTrial();
    await using hold = trial.hold;
    await trial.holdWith([PEER]);
    await trial.enter(running("Idle"));
    await trial.advance(5000);
    assert.deepEqual(trial.told, ["held"]);
    await trial.enter(running("Established"));
    assert.deepEqual(trial.told, ["held", "released"]);
    assert.ok(hold);
  });

  it("is over after a minute where a session does not come back", async () => {
    const trial = createTrial();
    await using hold = trial.hold;
    await trial.holdWith([PEER]);
    await trial.enter(running("Idle"));
    await trial.advance(5000);
    await trial.advance(54_999);
    assert.deepEqual(trial.told, ["held"]);
    await trial.advance(1);
    assert.deepEqual(trial.told, ["held", "released"]);
    assert.ok(hold);
  });

  it("does not wait for sessions that are no longer wanted", async () => {
    const trial = createTrial();
    await using hold = trial.hold;
    await trial.holdWith([parseIp("192.168.0.103")]);
    await trial.enter(running("Idle"));
    await trial.advance(5000);
    assert.deepEqual(trial.told, ["held", "released"]);
    assert.ok(hold);
  });

  it("goes on where another begins before it is over", async () => {
    const trial = createTrial();
    await using hold = trial.hold;
    await trial.holdWith([PEER]);
    await trial.advance(4000);
    await trial.holdWith([PEER]);
    await trial.advance(4000);
    assert.deepEqual(trial.told, ["held", "held"]);
    await trial.advance(1000);
    assert.deepEqual(trial.told, ["held", "held", "released"]);
    assert.ok(hold);
  });

  it("leaves the routes where they are when the agent ends", async () => {
    const trial = createTrial();
    await trial.holdWith([PEER]);
    await trial.hold[Symbol.asyncDispose]();
    assert.deepEqual(trial.told, ["held"]);
  });
});
