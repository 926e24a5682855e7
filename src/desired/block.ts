// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp, hostCidr, isHostCidr } from "../net/cidr.ts";
import type { Contribution } from "./contributions.ts";
import type { BlockFacts, NodeFacts, RouteSource } from "./facts.ts";
import { BLOCK_METRIC, type RouteTarget, type Unroutable, type WantedRoute, routeKey } from "./wanted.ts";

/** What the routes of a block depend on besides the block itself. */
export interface BlockContext {
  /** This node's name. */
  readonly self: string;
  readonly routeSource: RouteSource;
  readonly node: (name: string) => NodeFacts | undefined;
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

function remoteRoute({ dst, node: name }: Holding, { self, routeSource, node }: BlockContext): RemoteRoute {
  const there = node(name);
  const here = node(self);
  if (there === undefined) return unroutable(dst, `node "${name}" has not registered an address`);
  if (here === undefined) return unroutable(dst, `this node, "${self}", has not registered an address`);
  if (!cidrContainsIp(here.subnet, there.address)) {
    return unroutable(dst, `node "${name}" (${there.address}) is not on this node's network ${here.subnet}`);
  }
  // A node that does not announce is not waited for, so that routes are there before and while BGP starts.
  const isBirds = routeSource === "bird" && there.routeSource === "bird";
  const target = { kind: "gateway", gateway: there.address } as const;
  return { kind: "route", route: blockRoute(dst, target, isBirds ? "untilReplaced" : "present") };
}

function unroutable(dst: Cidr, reason: string): RemoteRoute {
  return { kind: "unroutable", unroutable: { dst, reason } };
}

function blockRoute(
  dst: Cidr,
  target: RouteTarget,
  standing: WantedRoute["standing"],
): Contribution<WantedRoute> {
  return { key: routeKey(dst, BLOCK_METRIC), value: { dst, metric: BLOCK_METRIC, target, standing } };
}
