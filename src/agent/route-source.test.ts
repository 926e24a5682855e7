// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Bird, ConfigureResult } from "../bird/bird.ts";
import type { WantedBird } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { createRouteSourceSwitch } from "./route-source.ts";

const WANTED: WantedBird = {
  nodeAddress: parseIpv4("192.168.0.101"),
  asNumber: 64512,
  listenPort: 179,
  peers: [],
  originated: [],
  poolCidrs: [],
  programKernel: true,
};

/** A switch whose collaborators only note what is asked of them; `settle` lets the kernel be as it should be. */
function createTrial(results: readonly ConfigureResult[] = []) {
  const told: string[] = [];
  const clock = createFakeClock();
  const answers = [...results];
  let wanted: WantedBird | undefined = WANTED;
  let settled = Promise.withResolvers<undefined>();
  const bird: Bird = {
    configure(text) {
      told.push(text.includes("export none") ? "bird withdraws" : "bird programs");
      return Promise.resolve(answers.shift() ?? { kind: "reconfigured" });
    },
    stop() {
      told.push("bird stops");
      return Promise.resolve();
    },
    status: () => ({ kind: "stopped" }),
    refresh: () => Promise.resolve({ kind: "stopped" }),
    onChange: () => () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const dataplane = {
    async settled({ signal }: { readonly signal: AbortSignal }): Promise<void> {
      const abort = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("aborted"));
        });
      });
      await Promise.race([settled.promise, abort]);
      told.push("kernel settled");
    },
  };
  const registration = {
    announceRouteSource(source: string): Promise<void> {
      told.push(`node announces ${source}`);
      return Promise.resolve();
    },
  };
  const routeSource = createRouteSourceSwitch(
    { bird, dataplane, registration, clock, log: silentLog },
    { nodeName: "host1", birdLogFile: "/run/x/bird.log", wanted: () => wanted, onChange: () => undefined },
  );
  return {
    told,
    clock,
    routeSource,
    want(next: WantedBird | undefined) {
      wanted = next;
      routeSource.update();
    },
    settle() {
      settled.resolve(undefined);
      settled = Promise.withResolvers();
    },
    /** Lets everything happen that waits for nothing but its turn. */
    async idle() {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    },
  };
}

describe("the switch of route sources", () => {
  it("says that the node relies on BIRD before BIRD is started", async () => {
    const trial = createTrial();
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, ["node announces bird", "bird programs"]);
  });

  it("has BIRD withdraw only when the agent's routes are in place, and go on announcing", async () => {
    const trial = createTrial();
    trial.want({ ...WANTED, programKernel: false });
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, ["kernel settled", "bird withdraws", "node announces datastore"]);
  });

  it("stops BIRD where nobody needs it, when the agent's routes are in place", async () => {
    const trial = createTrial();
    trial.want(undefined);
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, ["kernel settled", "node announces datastore", "bird stops"]);
  });

  it("goes back at once where BIRD is wanted again while the kernel is not settled", async () => {
    const trial = createTrial();
    trial.want(undefined);
    await trial.idle();
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, ["node announces bird", "bird programs"]);
  });

  it("tries again, and says why, where BIRD refuses", async () => {
    const trial = createTrial([{ kind: "refused", message: "syntax error" }]);
    trial.want(WANTED);
    await trial.idle();
    assert.match(trial.routeSource.trouble ?? "", /syntax error/);
    trial.clock.advance(1000);
    await trial.idle();
    assert.equal(trial.routeSource.trouble, undefined);
    assert.equal(trial.told.filter((step) => step === "bird programs").length, 2);
  });

  it("does nothing more once it is disposed, whatever it waits for", async () => {
    const trial = createTrial();
    trial.want(undefined);
    await trial.idle();
    await trial.routeSource[Symbol.asyncDispose]();
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, []);
  });
});
