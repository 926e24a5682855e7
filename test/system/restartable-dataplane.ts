// SPDX-License-Identifier: Apache-2.0
// A dataplane in the test's own process, which another one without memory can take the place of.
import { type DataplaneStatus, createDataplane } from "../../src/dataplane/dataplane.ts";
import type { Kernel } from "../../src/dataplane/kernel.ts";
import { Calculation } from "../../src/desired/calculation.ts";
import type { Fact } from "../../src/desired/facts.ts";
import { eventually } from "./harness.ts";

export interface RestartableDataplane {
  status(): DataplaneStatus;
  start(): Promise<void>;
  /** What is in the kernel stays. */
  stop(): Promise<void>;
  /** Another dataplane in the place of this one, which remembers nothing. */
  restart(): Promise<void>;
  learn(...facts: readonly Fact[]): void;
  settled(): Promise<void>;
}

/** That of node `host1`, which knows the facts from the start. It stops with the stack. */
export function createRestartableDataplane(
  stack: AsyncDisposableStack,
  kernel: Kernel,
  known: readonly Fact[] = [],
): RestartableDataplane {
  const facts: Fact[] = [...known];
  let calculation = new Calculation("host1");
  let dataplane = createDataplane(kernel);
  dataplane.update(calculation.update(facts));
  stack.defer(() => dataplane[Symbol.asyncDispose]());
  return {
    status: () => dataplane.status(),
    start: () => dataplane.start(),
    stop: async () => {
      await dataplane[Symbol.asyncDispose]();
    },
    restart: async () => {
      await dataplane[Symbol.asyncDispose]();
      calculation = new Calculation("host1");
      dataplane = createDataplane(kernel);
      dataplane.update(calculation.update(facts));
      await dataplane.start();
    },
    learn(...more) {
      facts.push(...more);
      dataplane.update(calculation.update(more));
    },
    settled: () =>
      eventually(() => {
        const { isSettled, faults } = dataplane.status();
        return Promise.resolve(isSettled && faults.length === 0);
      }, "a settled dataplane"),
  };
}
