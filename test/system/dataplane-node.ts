// SPDX-License-Identifier: Apache-2.0
// A node whose dataplane runs in the test's own process, in a network namespace of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type Dataplane, createDataplane } from "../../src/dataplane/dataplane.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { Calculation } from "../../src/desired/calculation.ts";
import type { Fact } from "../../src/desired/facts.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { systemClock } from "../../src/system/clock.ts";
import { openKernel } from "./kernel-harness.ts";
import { PATIENCE_MS } from "./patience.ts";

export const NODE_END = parseIfName("cali0123456789a");

/** A node of its own: `host1` in a fresh namespace, with an underlay interface and one node end. */
export interface Node extends AsyncDisposable {
  readonly calculation: Calculation;
  readonly dataplane: Dataplane;
  /** Runs `ip` in the namespace. */
  ip(command: string): string;
  sysctl(path: string): string;
  setSysctl(path: string, value: string): void;
  addNodeEnd(name: IfName): Promise<void>;
  learn(...facts: Fact[]): void;
  settled(): Promise<void>;
}

let count = 0;

export async function createNode(): Promise<Node> {
  const name = `mdp${process.pid}-${++count}`;
  await using stack = new AsyncDisposableStack();
  execFileSync("ip", ["netns", "add", name]);
  stack.defer(() => {
    execFileSync("ip", ["netns", "del", name]);
  });
  const ip = (command: string): string =>
    execFileSync("ip", ["-n", name, ...command.split(" ")], { encoding: "utf8" });
  ip("link add eth0 type veth peer name lan");
  ip("addr add 192.168.0.101/24 dev eth0");
  for (const link of ["lo", "lan", "eth0"]) ip(`link set ${link} up`);
  const kernel = openKernel(stack, name);
  const { rtnetlink, sysctls } = kernel;
  const dataplane = stack.use(createDataplane(kernel));
  const calculation = new Calculation("host1");
  const addNodeEnd = async (nodeEnd: IfName): Promise<void> => {
    const peer = { name: parseIfName(`p${nodeEnd.slice(-3)}`) };
    const [error] = await rtnetlink.execute([createVeth({ name: nodeEnd, up: true, peer })]);
    assert.equal(error, undefined);
  };
  await addNodeEnd(NODE_END);
  const owned = stack.move();
  return {
    calculation,
    dataplane,
    ip,
    sysctl: (path) => sysctls.read(path.split("/")) ?? assert.fail(`no ${path}`),
    setSysctl: (path, value) => {
      sysctls.write(path.split("/"), value);
    },
    addNodeEnd,
    learn: (...facts) => {
      dataplane.update(calculation.update(facts));
    },
    settled: () =>
      eventually(() => {
        const { isSettled, faults } = dataplane.status();
        return isSettled && faults.length === 0;
      }, "a settled dataplane"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Waits for `isSo` by the kernel's own events, as often as there are any. */
export async function eventually(isSo: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, `in vain: ${what}`);
    await systemClock.sleep(20);
  }
}
