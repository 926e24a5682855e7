// SPDX-License-Identifier: Apache-2.0
// IPIP between two nodes of which one at least has it by the kernel's device; that of programs alone is in test/system.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { eventually, eventuallyEqual } from "../system/harness.ts";
import type { NodePair, PairedNode } from "../system/node-pair.ts";
import { PING_PATIENCE_S } from "../system/patience.ts";
import { STREAM, capture, startReceiver } from "../system/traffic.ts";
import { createIpipPair } from "./ipip-pair.ts";

/** What is left of the underlay's 1500. */
const MTU = 1480;

async function ping(from: PairedNode, to: PairedNode, ...options: readonly string[]): Promise<void> {
  await from.runInside(
    "ping",
    "-n",
    "-c",
    "3",
    "-i",
    "0.1",
    "-W",
    PING_PATIENCE_S,
    ...options,
    to.containerIp,
  );
}

/** What the node has of its end, whatever order the kernel tells it in. */
async function stateOf(node: PairedNode): Promise<string> {
  const parts = await Promise.all([
    node.run("ip", "-br", "-4", "addr", "show", "dev", "tunl0"),
    node.run("ip", "link", "show", "tunl0"),
    node.run("ip", "route"),
  ]);
  return parts.join("").split("\n").sort().join("\n");
}

for (const drivers of [
  ["device", "device"],
  ["device", "bpf"],
] as const) {
  describe(`IPIP between a node with ${drivers.join(" and one with ")}`, () => {
    const stack = new AsyncDisposableStack();
    after(() => stack.disposeAsync());
    let nodes: NodePair["nodes"];
    it("comes up", async () => {
      ({ nodes } = await createIpipPair(stack, drivers));
      const [one, other] = nodes;
      assert.match(
        await one.run("ip", "route"),
        /^10\.1\.2\.0\/26 via 192\.168\.0\.102 dev tunl0 proto 80 .*onlink/m,
      );
      const devices = await other.run("ip", "-br", "link", "show", "type", "ipip", "up");
      assert.equal(devices.includes("tunl0"), drivers[1] === "device", devices);
    });

    it("shows the underlay packets of protocol 4 between nodes, whoever sends", async () => {
      const [one, other] = nodes;
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        const captured = await capture(to.host, 2, "proto 4");
        await ping(from, to);
        const [request = ""] = (await captured()).split(/\n(?=\S)/);
        assert.match(request, new RegExp(`proto IPIP \\(4\\).*\\n? *${from.address} > ${to.address}: IP `));
        assert.match(request, new RegExp(`${from.containerIp} > ${to.containerIp}: ICMP echo request`));
      }
    });

    it("carries streams both ways", async () => {
      const [one, other] = nodes;
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        await using receiver = await startReceiver(to.container);
        const line = receiver.line();
        const told = await from.runInside(process.execPath, STREAM, "tcp", to.containerIp, "1");
        assert.equal(await line, told.trim());
      }
    });

    it("carries whole packets of its MTU, and has larger ones answered", async () => {
      const [one, other] = nodes;
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        await from.runInside("ip", "route", "flush", "cache");
        await ping(from, to, "-M", "do", "-s", String(MTU - 28));
        await assert.rejects(ping(from, to, "-M", "do", "-s", String(MTU - 27)), /mtu ?= ?1480/);
      }
    });

    for (const [what, ...damage] of [
      ["its address removed", "ip", "addr", "flush", "dev", "tunl0"],
      ["its MTU changed", "ip", "link", "set", "tunl0", "mtu", "1400"],
      ["it set down", "ip", "link", "set", "tunl0", "down"],
      ["its route removed", "ip", "route", "del", "10.1.2.0/26"],
    ] as const) {
      it(`has the device repaired with ${what}`, async () => {
        const [one, other] = nodes;
        const whole = await stateOf(one);
        await one.run(...damage);
        await eventuallyEqual(() => stateOf(one), whole);
        await ping(one, other);
      });
    }

    it("gives the device back as the kernel made it", async () => {
      const [one] = nodes;
      one.learn({ kind: "ipipEnd", value: undefined });
      const isAsMade = async (): Promise<boolean> =>
        !/UP|alias/.test(await one.run("ip", "link", "show", "tunl0"));
      await eventually(isAsMade, "its end");
    });
  });
}
