// SPDX-License-Identifier: Apache-2.0
// Traces of a lab that is well, while packets of others pass: each has to find so.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRandom } from "../../src/system/random.ts";
import type { Lab } from "../system/harness.ts";
import { type TraceOptions, factsOf, traceOf } from "../system/trace-harness.ts";

export interface HealthyOptions {
  readonly runs: number;
  /** What decides between whom, and by what; the same seed has the same traces. */
  readonly seed: number;
}

const CONTAINERS = ["a", "b", "c", "d"] as const;

/** Traces between containers a to d of a lab of both families; throws where one of them finds a fault, or misses where its packet was delivered. */
export async function traceHealthy(lab: Lab, { runs, seed }: HealthyOptions): Promise<void> {
  const random = createRandom(seed);
  const others = await startTraffic(lab);
  try {
    for (let run = 0; run < runs; run++) {
      const from = pick(random, CONTAINERS);
      const to = pick(
        random,
        CONTAINERS.filter((name) => name !== from),
      );
      const options: TraceOptions = {
        family: pick(random, [4, 6]),
        proto: pick(random, ["icmp", "udp", "tcp"]),
        port: 4244,
        size: pick(random, [84, 700, 1300]),
      };
      const trace = await traceOf(lab, from, to, options);
      const which = `seed ${seed}, run ${run}: ${from} to ${to}, ${JSON.stringify(options)}`;
      assert.deepEqual(trace.fault, null, which);
      for (const direction of ["there", "back"] as const)
        assert.equal(factsOf(trace, "delivered", { direction }).length, 1, `${which}, ${direction}`);
    }
  } finally {
    for (const child of others) child.kill();
    await Promise.all(others.map((child) => once(child, "close")));
  }
}

/** Echoes of both families between the same containers, about 1000 packets a second in all. */
async function startTraffic(lab: Lab): Promise<readonly ChildProcess[]> {
  const { addresses } = await lab.container("d");
  return addresses.map((address) => lab.start("a", "ping", "-n", "-q", "-i", "0.002", address));
}

function pick<T>(random: () => number, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)] ?? assert.fail();
}
