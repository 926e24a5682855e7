// SPDX-License-Identifier: Apache-2.0
import type { IpipDriver } from "../../src/desired/facts.ts";
import { type NodePair, createNodePair, nodeFact } from "../system/node-pair.ts";

/** Two nodes between which packets go by IPIP, each by its own means. */
export async function createIpipPair(
  stack: AsyncDisposableStack,
  drivers: readonly [IpipDriver, IpipDriver],
): Promise<NodePair> {
  const pair = await createNodePair(stack, { encapsulation: { kind: "ipip", crossSubnet: false } });
  for (const [index, node] of pair.nodes.entries())
    node.learn({ kind: "ipipEnd", value: { ip: node.tunnelIp, driver: drivers[index] ?? "device" } });
  for (const { number, tunnelIp: ipip } of pair.nodes) pair.learn(nodeFact(number, { ipip }));
  await pair.settled();
  return pair;
}
