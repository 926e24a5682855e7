// SPDX-License-Identifier: Apache-2.0
import { type InterfaceAddress, cidrContainsIp, prefixLengthOf } from "../net/cidr.ts";
import { type IfName, parseIfName } from "../net/if-name.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Ipv6 } from "../net/ipv6.ts";
import { type UnderlayRoute, findRoutes, ipv6Wiring } from "./paths.ts";
import type { Host, Segment, Topology } from "./topology-schema.ts";

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
  /** Its IPv6 address, `fd00:1::101/64`, if it has one. */
  readonly ipv6?: InterfaceAddress;
}

/** The nodes of the underlay, and how each is wired and routed. Routers know the segments, and nothing of containers. */
export function planUnderlay({ underlay, hosts, etcd, machines }: Topology): readonly UnderlayNode[] {
  const { segments, routers } = underlay;
  const stations: readonly Station[] = [...hosts, ...machines, ...etcd];
  return [
    ...routers.map(({ name, addresses, ipv6Addresses }) => ({
      name,
      isRouter: true,
      ports: addresses.map((address, index) =>
        // No host has a dot in its name.
        planPort(segments, `${name}.${index}`, `eth${index}`, address, ipv6Addresses),
      ),
      routes: routesFrom(underlay, addresses, ipv6Addresses),
    })),
    ...stations.map(({ name, address, ipv6Address, routes = [] }) => {
      const ipv6Addresses = ipv6Address === undefined ? [] : [ipv6Address];
      return {
        name,
        isRouter: false,
        ports: [planPort(segments, name, "eth0", address, ipv6Addresses)],
        // The person's own come last, and replace those to the same segment.
        routes: [...routesFrom(underlay, [address], ipv6Addresses), ...routes],
      };
    }),
  ];
}

/** Whoever has one port. */
interface Station {
  readonly name: string;
  readonly address: Ipv4;
  readonly ipv6Address?: Ipv6;
  readonly routes?: readonly UnderlayRoute[];
}

function routesFrom(
  underlay: Topology["underlay"],
  addresses: readonly Ipv4[],
  ipv6Addresses: readonly Ipv6[],
): readonly UnderlayRoute[] {
  const wiring = ipv6Wiring(underlay);
  const own = wiring.segments.filter(({ cidr }) => ipv6Addresses.some((ip) => cidrContainsIp(cidr, ip)));
  return [
    ...findRoutes(
      underlay,
      addresses.map((address) => segmentOf(underlay.segments, address)),
    ),
    ...findRoutes(wiring, own),
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

/** The host's IPv6 address as its interface carries it, if it has one. */
export function ipv6InterfaceAddress(
  segments: readonly Segment[],
  { address, ipv6Address }: Pick<Host, "address" | "ipv6Address">,
): string | undefined {
  const { ipv6Cidr } = segmentOf(segments, address);
  if (ipv6Address === undefined || ipv6Cidr === undefined) return undefined;
  return `${ipv6Address}/${prefixLengthOf(ipv6Cidr)}`;
}

function planPort(
  segments: readonly Segment[],
  switchEnd: string,
  nodeEnd: string,
  address: Ipv4,
  ipv6Addresses: readonly Ipv6[],
): UnderlayPort {
  const segment = segmentOf(segments, address);
  const { cidr, ipv6Cidr } = segment;
  const ipv6 = ipv6Cidr && ipv6Addresses.find((candidate) => cidrContainsIp(ipv6Cidr, candidate));
  return {
    segment,
    switchEnd: parseIfName(switchEnd),
    nodeEnd: parseIfName(nodeEnd),
    address,
    prefixLength: prefixLengthOf(cidr),
    ...(ipv6Cidr !== undefined &&
      ipv6 !== undefined && { ipv6: { ip: ipv6, prefixLength: prefixLengthOf(ipv6Cidr) } }),
  };
}
