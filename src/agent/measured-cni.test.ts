// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CniError } from "../cni/error.ts";
import type { CniService } from "../cni/service.ts";
import { createFakeClock } from "../system/clock.ts";
import { Meters } from "../web/meters.ts";
import { measureCni } from "./measured-cni.ts";

const { signal } = new AbortController();

describe("measured calls of the plugin", () => {
  /** What is noted of one call that takes 20 ms. */
  const noted = async (
    environment: Readonly<Record<string, string>>,
    fails?: Error,
  ): Promise<readonly (readonly unknown[])[]> => {
    const clock = createFakeClock();
    const meters = new Meters();
    const service: CniService = {
      handle() {
        clock.advance(20);
        return fails === undefined ? Promise.resolve({}) : Promise.reject(fails);
      },
      catchUp: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const call = measureCni(service, { clock, meters }).handle({ environment, config: {} }, { signal });
    if (fails === undefined) assert.deepEqual(await call, {});
    else await assert.rejects(call, fails);
    const durations = meters.callSamples().filter(({ suffix }) => suffix === "_sum");
    return [...durations, ...meters.callErrors.samples()].map(({ labels, value }) => [labels, value]);
  };

  it("are told apart by command and outcome", async () => {
    assert.deepEqual(await noted({ CNI_COMMAND: "ADD" }), [[{ command: "ADD", outcome: "success" }, 0.02]]);
    assert.deepEqual(await noted({ CNI_COMMAND: "ADD" }, new CniError("tryAgainLater", "starting")), [
      [{ command: "ADD", outcome: "retry" }, 0.02],
      [{ error: "tryAgainLater" }, 1],
    ]);
    assert.deepEqual(await noted({ CNI_COMMAND: "CHECK" }, new CniError("checkFailed", "no route")), [
      [{ command: "CHECK", outcome: "error" }, 0.02],
      [{ error: "checkFailed" }, 1],
    ]);
  });

  it("never take a label from what the caller has made up", async () => {
    for (const command of ["frob", "", "__proto__", "toString", "add"])
      assert.deepEqual(await noted({ CNI_COMMAND: command }, new CniError("invalidEnvironment", "no")), [
        [{ command: "invalid", outcome: "error" }, 0.02],
        [{ error: "invalidEnvironment" }, 1],
      ]);
  });
});
