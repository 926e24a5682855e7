// SPDX-License-Identifier: Apache-2.0
import type { Cidr } from "../net/cidr.ts";
import type { NodeFacts, PoolFacts, Settings } from "./facts.ts";
import type { WantedBird } from "./wanted.ts";

export interface BirdContext {
  readonly self: string;
  readonly settings: Settings;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly pools: ReadonlyMap<string, PoolFacts>;
  readonly originated: readonly Cidr[];
}

/**
 * What BIRD is to do on this node, `undefined` where it has nothing to do. When the cluster leaves BIRD, a node's BIRD withdraws its
 * routes from its own kernel, but goes on announcing as long as another node still relies on it.
 */
export function wantedBird({
  self,
  settings,
  nodes,
  pools,
  originated,
}: BirdContext): WantedBird | undefined {
  const here = nodes.get(self);
  if (here === undefined) return undefined;
  const others = [...nodes].filter(([name]) => name !== self);
  const isSource = settings.routeSource === "bird";
  if (!isSource && !others.some(([, node]) => node.usesBird)) return undefined;
  const peers = settings.nodeMesh ? others : [];
  return {
    nodeAddress: here.address,
    asNumber: here.asNumber ?? settings.asNumber,
    listenPort: settings.listenPort,
    peers: peers
      .map(([name, node]) => ({ name, address: node.address, asNumber: node.asNumber ?? settings.asNumber }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    originated: [...originated].sort(),
    poolCidrs: [...pools.values()]
      .filter((pool) => !pool.disableBgpExport)
      .map((pool) => pool.cidr)
      .sort(),
    programKernel: isSource,
  };
}
