// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContainsIp, prefixLengthOf } from "../net/cidr.ts";
import { type IfName, parseIfName } from "../net/if-name.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import { type UnderlayRoute, findRoutes } from "./paths.ts";
import type { Segment, Topology } from "./topology-schema.ts";

/** A machine or router as the underlay sees it. */
export interface UnderlayNode {
  readonly name: string;
  readonly isRouter: boolean;
  readonly ports: readonly UnderlayPort[];
  readonly routes: readonly UnderlayRoute[];
}

/** A cable between a node and the switch of a segment. */
export interface UnderlayPort {
  readonly segment: Segment;
  /** The switch's end. */
  readonly switchEnd: IfName;
  /** The node's end. */
  readonly nodeEnd: IfName;
  readonly address: Ipv4;
  readonly prefixLength: number;
}

/** The nodes of the underlay, and how each is wired and routed. Routers know the segments, and nothing of containers. */
export function planUnderlay({ underlay, hosts, etcd, machines }: Topology): readonly UnderlayNode[] {
  const { segments, routers } = underlay;
  return [
    ...routers.map(({ name, addresses }) => ({
      name,
      isRouter: true,
      ports: addresses.map((address, index) =>
        // No host has a dot in its name.
        planPort(segments, `${name}.${index}`, `eth${index}`, address),
      ),
      routes: findRoutes(
        underlay,
        addresses.map((address) => segmentOf(segments, address)),
      ),
    })),
    ...[...hosts, ...machines, ...etcd.map((member) => ({ ...member, routes: [] }))].map(
      ({ name, address, routes }) => ({
        name,
        isRouter: false,
        ports: [planPort(segments, name, "eth0", address)],
        // The person's own come last, and replace those to the same segment.
        routes: [...findRoutes(underlay, [segmentOf(segments, address)]), ...routes],
      }),
    ),
  ];
}

/** The segment that holds the address; a checked topology has one. */
export function segmentOf(segments: readonly Segment[], address: Ipv4): Segment {
  const segment = segments.find(({ cidr }) => cidrContainsIp(cidr, address));
  if (segment === undefined) throw new RangeError(`Cannot find segment of "${address}": it is in none`);
  return segment;
}

/** `<address>/<length>`, as an interface carries it. */
export function interfaceAddress(segments: readonly Segment[], address: Ipv4): string {
  return `${address}/${prefixLengthOf(segmentOf(segments, address).cidr)}`;
}

function planPort(
  segments: readonly Segment[],
  switchEnd: string,
  nodeEnd: string,
  address: Ipv4,
): UnderlayPort {
  const segment = segmentOf(segments, address);
  const cidr: Cidr = segment.cidr;
  return {
    segment,
    switchEnd: parseIfName(switchEnd),
    nodeEnd: parseIfName(nodeEnd),
    address,
    prefixLength: prefixLengthOf(cidr),
  };
}
