// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp, hostCidr, isHostCidr } from "../net/cidr.ts";
import type { Contribution } from "./contributions.ts";
import type { BlockFacts, Encapsulation, NodeFacts, RouteSource } from "./facts.ts";
import {
  BLOCK_METRIC,
  MAIN_TABLE,
  type RouteTarget,
  type Unroutable,
  VXLAN_DEVICE,
  type WantedRoute,
  routeKey,
} from "./wanted.ts";

/** What the routes of a block depend on besides the block itself. */
export interface BlockContext {
  /** This node's name. */
  readonly self: string;
  readonly routeSource: RouteSource;
  readonly node: (name: string) => NodeFacts | undefined;
  /** How packets for addresses of the prefix travel between nodes. */
  readonly encapsulation: (dst: Cidr) => Encapsulation;
  /** Whether this node has an end of the VXLAN tunnel. */
  readonly hasVxlanEnd: boolean;
  readonly isConfirmed: (node: string, block: Cidr) => boolean;
}

export interface BlockRoutes {
  readonly routes: readonly Contribution<WantedRoute>[];
  /** What this node announces on account of the block. */
  readonly originated: readonly Cidr[];
  readonly unroutable: readonly Unroutable[];
}

/** A destination and the node that holds it. */
interface Holding {
  readonly dst: Cidr;
  readonly node: string;
}

/**
 * The routes that one block causes on this node: `blackhole` for an own block, so that a packet for an address that is not in use
 * does not travel back to the default gateway; a route to the node that holds it for any other, and for each
 * address that is used away from its block's node.
 */
export function blockRoutes(block: BlockFacts, context: BlockContext): BlockRoutes {
  const holdings = holdingsOf(block, context);
  const own = holdings.filter(({ node }) => node === context.self);
  const remote = holdings
    .filter(({ node }) => node !== context.self)
    .map((holding) => remoteRoute(holding, context));
  return {
    routes: [
      // A host-size block would hide the container's own route.
      ...own.filter(({ dst }) => dst === block.cidr && !isHostCidr(dst)).map(({ dst }) => blackhole(dst)),
      ...remote.flatMap((found) => (found.kind === "route" ? [found.route] : [])),
    ],
    originated: own.map(({ dst }) => dst),
    unroutable: remote.flatMap((found) => (found.kind === "unroutable" ? [found.unroutable] : [])),
  };
}

/** Only confirmed blocks count: a pending claim may still be lost to another node. */
function holdingsOf({ cidr, node, strays }: BlockFacts, { isConfirmed }: BlockContext): readonly Holding[] {
  const whole = node !== undefined && isConfirmed(node, cidr) ? [{ dst: cidr, node }] : [];
  return [...whole, ...strays.map((stray) => ({ dst: hostCidr(stray.ip), node: stray.node }))];
}

function blackhole(dst: Cidr): Contribution<WantedRoute> {
  return blockRoute(dst, { kind: "blackhole" }, "present");
}

type RemoteRoute =
  | { readonly kind: "route"; readonly route: Contribution<WantedRoute> }
  | { readonly kind: "unroutable"; readonly unroutable: Unroutable };

function remoteRoute({ dst, node: name }: Holding, context: BlockContext): RemoteRoute {
  const { self, node, encapsulation } = context;
  const there = node(name);
  const here = node(self);
  if (there === undefined) return unroutable(dst, `node "${name}" has not registered an address`);
  if (here === undefined) return unroutable(dst, `this node, "${self}", has not registered an address`);
  const isNear = cidrContainsIp(here.subnet, there.address);
  const how = encapsulation(dst);
  switch (how.kind) {
    case "none":
      if (isNear) return directRoute(dst, there, isBirds(there, context));
      return unroutable(
        dst,
        `node "${name}" (${there.address}) is not on this node's network ${here.subnet}`,
      );
    case "vxlan":
      // As in Calico, the agent brings these routes whatever the source of the others.
      if (how.crossSubnet && isNear) return directRoute(dst, there, false);
      return vxlanRoute(dst, name, there, context);
    case "ipip":
      return unroutable(dst, "its pool wants IPIP, which this version does not have");
  }
}

/** A node that does not announce is not waited for, so that routes are there before and while BGP starts. */
function isBirds(there: NodeFacts, { routeSource }: BlockContext): boolean {
  return routeSource === "bird" && there.routeSource === "bird";
}

function directRoute(dst: Cidr, { address }: NodeFacts, isBrought: boolean): RemoteRoute {
  const target = { kind: "gateway", gateway: address } as const;
  return { kind: "route", route: blockRoute(dst, target, isBrought ? "untilReplaced" : "present") };
}

function vxlanRoute(dst: Cidr, name: string, there: NodeFacts, { hasVxlanEnd }: BlockContext): RemoteRoute {
  if (there.vxlan === undefined) return unroutable(dst, `node "${name}" has no end of the VXLAN tunnel yet`);
  if (!hasVxlanEnd) return unroutable(dst, "this node has no end of the VXLAN tunnel yet");
  const target = { kind: "tunnel", ifName: VXLAN_DEVICE, gateway: there.vxlan.ip } as const;
  return { kind: "route", route: blockRoute(dst, target, "present") };
}

function unroutable(dst: Cidr, reason: string): RemoteRoute {
  return { kind: "unroutable", unroutable: { dst, reason } };
}

function blockRoute(
  dst: Cidr,
  target: RouteTarget,
  standing: WantedRoute["standing"],
): Contribution<WantedRoute> {
  return {
    key: routeKey(dst, BLOCK_METRIC),
    value: { table: MAIN_TABLE, dst, metric: BLOCK_METRIC, target, standing },
  };
}
