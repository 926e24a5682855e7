// SPDX-License-Identifier: Apache-2.0
// The guard of the kernel's IPIP device, which not every kernel has; that of VXLAN is in test/system/guard.test.ts.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Ipv4 } from "../../src/net/ipv4.ts";
import {
  CONTAINER,
  FAR,
  type GuardedNode,
  HOST,
  OTHER,
  PORT,
  STRANGER,
  createGuardedNode,
  eventuallyBlocked,
  factsWith,
} from "../system/guard-harness.ts";

/** Sends a datagram to the container inside another packet, which comes from an address of the other machine. */
function sendInside(node: GuardedNode, outer: Ipv4, text: string): void {
  const ip = (command: string): string => node.runOutside("ip", ...command.split(" "));
  ip(`link add forge type ipip local ${outer} remote ${HOST}`);
  ip("link set forge up");
  ip(`route add ${CONTAINER}/32 dev forge`);
  node.send(FAR, CONTAINER, PORT, Buffer.from(text));
  ip("link del forge");
}

async function withIpip(): Promise<GuardedNode> {
  const node = await createGuardedNode();
  node.runOutside("ip", "addr", "add", `${FAR}/32`, "dev", "lo");
  node.learn(...factsWith("ipip"));
  await node.start();
  await node.settled();
  return node;
}

it("drops and counts packets inside a stranger's, and takes the same from a node's", async () => {
  await using node = await withIpip();
  await using received = await node.receive();
  sendInside(node, STRANGER, "forged");
  sendInside(node, OTHER, "last");
  assert.deepEqual(await received.until("last"), []);
  assert.match(node.run("nft", "-n", "list", "set", "ip", "margay", "protocols"), / 4 counter packets 1 /);
});

it("takes packets inside anyone's where there is no guard", async () => {
  await using node = await withIpip();
  await node.stop();
  node.run("nft", "flush", "ruleset");
  await using received = await node.receive();
  sendInside(node, STRANGER, "forged");
  assert.deepEqual(await received.until("forged"), []);
});

it("has no device open where there is no nft", async () => {
  await using node = await createGuardedNode({ nft: "/nonexistent/nft" });
  node.learn(...factsWith("ipip"));
  await node.start();
  await eventuallyBlocked(node, "tunl0");
  assert.doesNotMatch(node.run("ip", "link", "show", "type", "ipip"), /[<,]UP[,>]/);
});
