// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Bird, ConfigureResult } from "../bird/bird.ts";
import type { WantedBird } from "../desired/wanted.ts";
import { parseCidr } from "../net/cidr.ts";
import { type Ip, parseIp } from "../net/ip.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { LONELY_BIRD, NO_SECRETS } from "./bird-fixtures.ts";
import { createRouteSourceSwitch } from "./route-source.ts";

const WANTED = LONELY_BIRD;

/** A switch whose collaborators only note what is asked of them; `settle` lets the kernel be as it should be. */
function createTrial(results: readonly ConfigureResult[] = []) {
  const told: string[] = [];
  const clock = createFakeClock();
  const answers = [...results];
  let wanted: WantedBird | undefined = WANTED;
  let settled = Promise.withResolvers<undefined>();
  let isRunning = false;
  let hasBirdRoutes = false;
  let isRoutable = true;
  const bird: Bird = {
    adopt: () => Promise.resolve(isRunning),
    configure(text) {
      isRunning = true;
      hasBirdRoutes = !text.includes("export none");
      told.push(hasBirdRoutes ? "bird programs" : "bird withdraws");
      return Promise.resolve(answers.shift() ?? { kind: "reconfigured" });
    },
    check: () => Promise.resolve(undefined),
    stop() {
      told.push("bird stops");
      return Promise.resolve();
    },
    refillKernel: () => Promise.resolve(),
    status: () => ({ kind: "stopped" }),
    refresh: () => Promise.resolve({ kind: "stopped" }),
    onChange: () => () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const dataplane = {
    hasBirdRoutes: () => hasBirdRoutes,
    birdRoutesGone(): Promise<void> {
      told.push(hasBirdRoutes ? "BIRD's routes are still there" : "BIRD's routes are gone");
      return Promise.resolve();
    },
    async remoteRoutesInPlace({ signal }: { readonly signal: AbortSignal }): Promise<void> {
      const abort = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => {
          reject(new Error("aborted"));
        });
      });
      await Promise.race([settled.promise, abort]);
      told.push("our routes are in place");
    },
  };
  const registration = {
    announceRouteSource(source: string): Promise<void> {
      told.push(`node says ${source}`);
      return Promise.resolve();
    },
  };
  const routeHold = {
    begin(): Promise<void> {
      told.push("the hold begins");
      return Promise.resolve();
    },
    endWith(peers: readonly Ip[]): void {
      told.push(`the hold ends with ${peers.join(", ")}`);
    },
  };
  const routeSource = createRouteSourceSwitch(
    { bird, dataplane, registration, secrets: NO_SECRETS, routeHold, clock, log: silentLog },
    {
      nodeName: "host1",
      birdLogFile: "/run/x/bird.log",
      wanted: () => wanted,
      isRoutable: () => isRoutable,
      isNode: (address) => address.startsWith("192.168.0."),
      onChange: () => undefined,
    },
  );
  return {
    told,
    clock,
    routeSource,
    want(next: WantedBird | undefined) {
      wanted = next;
      routeSource.update();
    },
    /** Says whether other nodes have their ends of the tunnel. */
    setRoutable(is: boolean) {
      isRoutable = is;
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

const NOTHING: WantedBird = { ...WANTED, purpose: "none" };

describe("the switch of route sources", () => {
  it("says that the node relies on BIRD before BIRD is started, and that it announces after", async () => {
    const trial = createTrial();
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, ["node says starting", "bird programs", "node says bird"]);
  });

  it("has BIRD withdraw only when the agent's routes are in place, and go on announcing", async () => {
    const trial = createTrial();
    trial.want({ ...WANTED, purpose: "announcing" });
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.settle();
    await trial.idle();
    const steps = [
      "our routes are in place",
      "bird withdraws",
      "BIRD's routes are gone",
      "node says datastore",
    ];
    assert.deepEqual(trial.told, steps);
  });

  it("stops BIRD where nobody needs it, when its routes are gone", async () => {
    const trial = createTrial();
    trial.want(WANTED);
    await trial.idle();
    trial.told.length = 0;
    trial.want(NOTHING);
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.settle();
    await trial.idle();
    const steps = [
      "our routes are in place",
      "bird withdraws",
      "BIRD's routes are gone",
      "node says datastore",
      "bird stops",
    ];
    assert.deepEqual(trial.told, steps);
  });

  it("starts no BIRD where there is none, nor a route of one", async () => {
    const trial = createTrial();
    trial.want(NOTHING);
    await trial.idle();
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, ["our routes are in place", "node says datastore", "bird stops"]);
  });

  it("leaves BIRD alone while it is not known what is wanted", async () => {
    const trial = createTrial();
    trial.want(undefined);
    await trial.idle();
    assert.deepEqual(trial.told, []);
  });

  it("goes back at once where BIRD is wanted again while routes are not in place", async () => {
    const trial = createTrial();
    trial.want(NOTHING);
    await trial.idle();
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, ["node says starting", "bird programs", "node says bird"]);
  });

  it("finishes what it has begun with BIRD when something else is wanted meanwhile", async () => {
    const trial = createTrial();
    trial.want(WANTED);
    trial.want({ ...WANTED, listenPort: 1179 });
    await trial.idle();
    assert.deepEqual(trial.told.slice(-3), ["node says starting", "bird programs", "node says bird"]);
    assert.equal(trial.told.length, 6);
  });

  it("takes back that the node announces, says why, and tries again, where BIRD refuses", async () => {
    const trial = createTrial([{ kind: "refused", message: "syntax error" }]);
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, ["node says starting", "bird programs", "node says starting"]);
    assert.match(trial.routeSource.trouble ?? "", /syntax error/);
    trial.clock.advance(1000);
    await trial.idle();
    assert.equal(trial.routeSource.trouble, undefined);
    assert.equal(trial.told.at(-1), "node says bird");
  });

  it("holds the routes while sessions with nodes begin anew", async () => {
    const trial = createTrial();
    const peers = [{ name: "host2", address: parseIp("192.168.0.102"), asNumber: 64512 }];
    trial.want({ ...WANTED, peers });
    await trial.idle();
    trial.told.length = 0;
    trial.want({ ...WANTED, peers, listenPort: 1179 });
    await trial.idle();
    const steps = ["the hold begins", "bird programs", "the hold ends with 192.168.0.102"];
    assert.deepEqual(trial.told, ["node says starting", ...steps, "node says bird"]);
  });

  it("holds nothing for a node that is new, nor for a router that is no node", async () => {
    const trial = createTrial();
    const [node, router] = ["192.168.0.102", "10.0.0.1"].map((address) => ({
      name: address,
      address: parseIp(address),
      asNumber: 64512,
    }));
    assert.ok(node && router);
    trial.want({ ...WANTED, peers: [router] });
    await trial.idle();
    trial.want({ ...WANTED, peers: [{ ...router, asNumber: 64513 }, node] });
    await trial.idle();
    assert.equal(trial.told.includes("the hold begins"), false);
  });

  it("keeps BIRD at a pool that turns to a tunnel until the tunnel's routes are in place", async () => {
    const trial = createTrial();
    trial.want({ ...WANTED, kernelCidrs: [parseCidr("10.1.0.0/16")] });
    await trial.idle();
    trial.setRoutable(false);
    await trial.idle();
    trial.told.length = 0;
    trial.want(WANTED);
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.setRoutable(true);
    await trial.idle();
    assert.deepEqual(trial.told, []);
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, [
      "our routes are in place",
      "node says starting",
      "bird programs",
      "node says bird",
    ]);
  });

  it("waits no longer than ten seconds for a node without an end of the tunnel", async () => {
    const trial = createTrial();
    trial.want({ ...WANTED, kernelCidrs: [parseCidr("10.1.0.0/16")] });
    await trial.idle();
    trial.setRoutable(false);
    await trial.idle();
    trial.told.length = 0;
    trial.want(WANTED);
    await trial.idle();
    trial.clock.advance(10_000);
    await trial.idle();
    trial.settle();
    await trial.idle();
    assert.equal(trial.told.at(-1), "node says bird");
  });

  it("does nothing more once it is disposed, whatever it waits for", async () => {
    const trial = createTrial();
    trial.want(NOTHING);
    await trial.idle();
    await trial.routeSource[Symbol.asyncDispose]();
    trial.settle();
    await trial.idle();
    assert.deepEqual(trial.told, []);
  });
});
