// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, isHostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { servesBird } from "./bird.ts";
import type { Contribution } from "./contributions.ts";
import type { BlockFacts, Encapsulation, IpipEnd, NodeFacts, RouteSource, TunnelKind } from "./facts.ts";
import { type Holding, holdingsOf } from "./holding.ts";
import { ipipBlock } from "./ipip.ts";
import type { Contributed } from "./outcome.ts";
import { type Path, wayTo } from "./path.ts";
import { vxlanDevice } from "./vxlan.ts";
import {
  BLOCK_METRIC,
  IPIP_DEVICE,
  MAIN_TABLE,
  type RouteTarget,
  type Unroutable,
  type WantedIpip,
  type WantedRoute,
  routeKey,
} from "./wanted.ts";
import { encryptedRoutes } from "./wireguard.ts";

/** What the routes of a block depend on besides the block itself. */
export interface BlockContext {
  /** This node's name. */
  readonly self: string;
  readonly routeSource: RouteSource;
  readonly node: (name: string) => NodeFacts | undefined;
  /** How packets for addresses of the prefix travel between nodes. */
  readonly encapsulation: (dst: Cidr) => Encapsulation;
  /** This node's end of IPIP tunnels, once it has one. */
  readonly ipipEnd: IpipEnd | undefined;
  /** This node's address inside VXLAN tunnels of IPv6, once it has one. */
  readonly vxlan6Ip: Ip | undefined;
  /** What fits into an IPIP tunnel, in octets; `undefined` while the underlay is not known. */
  readonly ipipMtu: number | undefined;
  readonly isConfirmed: (node: string, block: Cidr) => boolean;
  /** Whether packets to the node are encrypted. */
  readonly isEncrypted: (node: string) => boolean;
}

export interface BlockOutcome {
  readonly wanted: Contributed;
  /** What this node announces on account of the block. */
  readonly originated: readonly Cidr[];
  readonly unroutable: readonly Unroutable[];
  /** Destinations that are reached by another way than the pool asks for. */
  readonly detours: readonly Unroutable[];
  /** Tunnels that packets to the block enter here. */
  readonly tunnels: readonly TunnelKind[];
}

/**
 * The routes that one block causes on this node: `blackhole` for an own block, so that a packet for an address that is not in use
 * does not travel back to the default gateway; a route to the node that holds it for any other, and for each
 * address that is used away from its block's node.
 */
export function blockOutcome(block: BlockFacts, context: BlockContext): BlockOutcome {
  const holdings = holdingsOf(block, context.isConfirmed);
  const own = holdings.filter(({ node }) => node === context.self);
  const remote = holdings
    .filter(({ node }) => node !== context.self)
    .map((holding) => remoteOutcome(holding, context));
  const whole = own.filter(({ dst }) => dst === block.cidr && !isHostCidr(dst));
  return {
    wanted: {
      // A host-size block would hide the container's own route.
      route: [
        ...whole.map(({ dst }) => blackhole(dst)),
        ...remote.flatMap(({ route }) => route),
        ...(cidrFamily(block.cidr) === 4 ? encryptedRoutes(block.cidr, holdings, context.isEncrypted) : []),
      ],
      ipip: remote.flatMap(({ ipip }) => ipip),
    },
    originated: own.map(({ dst }) => dst),
    unroutable: remote.flatMap(({ unroutable }) => unroutable),
    detours: remote.flatMap(({ detours }) => detours),
    tunnels: [...new Set(remote.flatMap(({ tunnels }) => tunnels))],
  };
}

function blackhole(dst: Cidr): Contribution<WantedRoute> {
  return blockRoute(dst, { kind: "blackhole" }, "present");
}

/** What follows from one holding of another node. */
interface RemoteOutcome {
  readonly route: readonly Contribution<WantedRoute>[];
  readonly ipip: readonly Contribution<WantedIpip>[];
  readonly unroutable: readonly Unroutable[];
  readonly detours: readonly Unroutable[];
  readonly tunnels: readonly TunnelKind[];
}

const NOTHING: RemoteOutcome = { route: [], ipip: [], unroutable: [], detours: [], tunnels: [] };

function remoteOutcome({ dst, node: name }: Holding, context: BlockContext): RemoteOutcome {
  const { self, node } = context;
  const [there, here] = [node(name), node(self)];
  if (there === undefined) return unroutable(dst, `node "${name}" has not registered an address`);
  if (here === undefined) return unroutable(dst, `this node, "${self}", has not registered an address`);
  const encapsulation = context.encapsulation(dst);
  const standing = isBirds(there, encapsulation, context) ? "untilReplaced" : "present";
  const { path, detour } = wayTo({ ...there, name }, here, encapsulation, cidrFamily(dst));
  const outcome = routeBy(path, { dst, there, standing }, context);
  return detour === undefined ? outcome : { ...outcome, detours: [{ dst, reason: detour }] };
}

interface Destination {
  readonly dst: Cidr;
  readonly there: NodeFacts;
  readonly standing: WantedRoute["standing"];
}

function routeBy(path: Path, { dst, there, standing }: Destination, context: BlockContext): RemoteOutcome {
  switch (path.kind) {
    case "none":
      return unroutable(dst, path.reason);
    case "direct":
      return gatewayRoute(dst, path.gateway, standing);
    case "vxlan":
    case "vxlan6": {
      const ifName = vxlanDevice(cidrFamily(dst));
      const { vxlan6Ip } = context;
      const source = path.kind === "vxlan6" && vxlan6Ip !== undefined ? { source: vxlan6Ip } : {};
      const target = { kind: "tunnel", ifName, gateway: path.gateway, ...source } as const;
      // As in Calico, the agent brings these routes whatever the source of the others.
      return { ...NOTHING, route: [blockRoute(dst, target, "present")], tunnels: [path.kind] };
    }
    case "ipip":
      return { ...ipipRoute({ dst, there, standing }, context), tunnels: ["ipip"] };
  }
}

/** With programs on the underlay, a route only makes room for the header: the programs' own table says where the packet goes. */
function ipipRoute({ dst, there, standing }: Destination, context: BlockContext): RemoteOutcome {
  const { ipipEnd, ipipMtu: mtu } = context;
  if (ipipEnd === undefined || mtu === undefined)
    return unroutable(dst, "this node's end of the IPIP tunnel is not there yet");
  const node = there.address;
  switch (ipipEnd.driver) {
    case "device": {
      const target = { kind: "tunnel", ifName: IPIP_DEVICE, gateway: node } as const;
      return { ...NOTHING, route: [blockRoute(dst, target, standing)] };
    }
    case "bpf": {
      const target = { kind: "underlay", node, mtu, source: ipipEnd.ip } as const;
      return { ...NOTHING, route: [blockRoute(dst, target, "present")], ipip: [ipipBlock(dst, node)] };
    }
  }
}

/** A node that does not announce is not waited for, so that routes are there before and while BGP starts. */
function isBirds(
  there: NodeFacts,
  encapsulation: Encapsulation,
  { routeSource, ipipEnd }: BlockContext,
): boolean {
  const isWilling = routeSource === "bird" && there.routeSource === "bird";
  return isWilling && servesBird(encapsulation, ipipEnd);
}

function gatewayRoute(dst: Cidr, gateway: Ip, standing: WantedRoute["standing"]): RemoteOutcome {
  return { ...NOTHING, route: [blockRoute(dst, { kind: "gateway", gateway }, standing)] };
}

function unroutable(dst: Cidr, reason: string): RemoteOutcome {
  return { ...NOTHING, unroutable: [{ dst, reason }] };
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
