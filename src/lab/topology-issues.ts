// SPDX-License-Identifier: Apache-2.0
import { judgePools } from "../model/pools.ts";
import type { Issue } from "../model/resource.ts";
import {
  type Cidr,
  addressAt,
  addressIndex,
  cidrContainsIp,
  cidrFamily,
  cidrSize,
  cidrsOverlap,
} from "../net/cidr.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import { findRoutes } from "./paths.ts";
import type { Host, Segment, Topology } from "./topology-schema.ts";

/** Interfaces and sysctl folders that are there already, and the namespace of the underlay. */
const RESERVED = ["lo", "all", "default", "underlay"];

/** What does not fit together in a topology whose fields are all right. */
export function topologyIssues(topology: Topology): readonly Issue[] {
  return [
    ...nameIssues(topology),
    ...segmentIssues(topology.underlay.segments),
    ...addressIssues(topology),
    ...hostIssues(topology),
    ...containerIssues(topology),
    ...poolIssues(topology),
    ...ipv6Issues(topology),
  ];
}

/** Everything with one address, and where the topology says so. */
function stationsOf({
  hosts,
  etcd,
  machines,
}: Topology): readonly (Placed & Pick<Host, "name" | "address">)[] {
  return Object.entries({ hosts, etcd, machines }).flatMap(([list, stations]) =>
    stations.map(({ name, address }, index) => ({ name, address, path: `${list}[${index}]` })),
  );
}

interface Placed {
  readonly path: string;
}

/** Everything that has a name: `lab exec NAME` must mean one thing. */
function nameIssues(topology: Topology): readonly Issue[] {
  const { underlay, containers, pools } = topology;
  const places = [
    ...underlay.segments.map(({ name }, index) => ({ name, path: `underlay.segments[${index}].name` })),
    ...underlay.routers.map(({ name }, index) => ({ name, path: `underlay.routers[${index}].name` })),
    ...stationsOf(topology).map(({ name, path }) => ({ name, path: `${path}.name` })),
    ...containers.map(({ name }, index) => ({ name, path: `containers[${index}].name` })),
  ];
  const poolPlaces = pools.map(({ metadata }, index) => ({
    name: metadata.name,
    path: `pools[${index}].name`,
  }));
  const reserved = places.filter(({ name }) => RESERVED.includes(name));
  return [
    ...reserved.map(({ name, path }) => invalid(path, `"${name}" is reserved`)),
    ...repeated(places, "name"),
    ...repeated(poolPlaces, "name"),
  ];
}

function segmentIssues(segments: readonly Segment[]): readonly Issue[] {
  return segments.flatMap(({ cidr }, index) => {
    const path = `underlay.segments[${index}].cidr`;
    if (cidrFamily(cidr) !== 4) return [invalid(path, `"${cidr}" is not IPv4`)];
    const other = segments.slice(0, index).find((before) => cidrsOverlap(before.cidr, cidr));
    return other ? [conflict(path, `"${cidr}" overlaps segment "${other.name}" ("${other.cidr}")`)] : [];
  });
}

/** Each address must be one that a host can have, in a segment, and nobody else's. */
function addressIssues(topology: Topology): readonly Issue[] {
  const { underlay } = topology;
  const places = [
    ...underlay.routers.flatMap(({ addresses }, router) =>
      addresses.map((address, index) => ({
        address,
        path: `underlay.routers[${router}].addresses[${index}]`,
      })),
    ),
    ...stationsOf(topology).map(({ address, path }) => ({ address, path: `${path}.address` })),
  ];
  const misplaced = places.flatMap(({ address, path }) => {
    const segment = underlay.segments.find(({ cidr }) => cidrContainsIp(cidr, address));
    if (segment === undefined) return [invalid(path, `"${address}" is in no segment`)];
    return isHostAddress(segment, address)
      ? []
      : [invalid(path, `"${address}" is the network or broadcast address of segment "${segment.name}"`)];
  });
  return [...misplaced, ...repeated(places, "address"), ...routerIssues({ underlay })];
}

function routerIssues({ underlay }: Pick<Topology, "underlay">): readonly Issue[] {
  return underlay.routers.flatMap(({ addresses }, router) =>
    addresses.flatMap((address, index) => {
      const segment = underlay.segments.find(({ cidr }) => cidrContainsIp(cidr, address));
      const first = addresses.findIndex((other) => segment && cidrContainsIp(segment.cidr, other));
      if (segment === undefined || first === index) return [];
      const path = `underlay.routers[${router}].addresses[${index}]`;
      return [conflict(path, `the router is in segment "${segment.name}" already`)];
    }),
  );
}

function isHostAddress({ cidr }: Segment, address: Ipv4): boolean {
  // RFC 3021: both addresses of a /31 are hosts'.
  if (cidrSize(cidr) <= 2n) return true;
  return addressIndex(cidr, address) !== 0 && addressAt(cidr, cidrSize(cidr) - 1n) !== address;
}

function hostIssues(topology: Topology): readonly Issue[] {
  const { segments } = topology.underlay;
  return topology.hosts.flatMap((host, index) => [
    ...(host.segment === undefined ? [] : namedSegmentIssues(segments, host, `hosts[${index}].segment`)),
    ...unreachableSegments(topology, host).map(({ name }) =>
      conflict(`hosts[${index}]`, `no router leads from host "${host.name}" to segment "${name}"`),
    ),
  ]);
}

function namedSegmentIssues(segments: readonly Segment[], host: Host, path: string): readonly Issue[] {
  const segment = segments.find(({ name }) => name === host.segment);
  if (segment === undefined) return [invalid(path, `there is no segment "${host.segment ?? ""}"`)];
  if (cidrContainsIp(segment.cidr, host.address)) return [];
  return [
    conflict(path, `address "${host.address}" is not in segment "${segment.name}" ("${segment.cidr}")`),
  ];
}

/** Segments with machines that this host could not reach. */
function unreachableSegments(topology: Topology, host: Host): readonly Segment[] {
  const { underlay } = topology;
  const own = underlay.segments.find(({ cidr }) => cidrContainsIp(cidr, host.address));
  if (own === undefined) return [];
  const routes = findRoutes(underlay, [own]);
  return underlay.segments.filter(
    (segment) =>
      segment !== own &&
      stationsOf(topology).some(({ address }) => cidrContainsIp(segment.cidr, address)) &&
      !routes.some(({ to }) => to === segment.cidr),
  );
}

function containerIssues({ containers, hosts }: Topology): readonly Issue[] {
  return containers.flatMap(({ host }, index) =>
    hosts.some(({ name }) => name === host)
      ? []
      : [invalid(`containers[${index}].host`, `there is no host "${host}"`)],
  );
}

function poolIssues({ pools, underlay }: Topology): readonly Issue[] {
  const underlays = underlay.segments.flatMap(({ name, cidr, ipv6Cidr }) =>
    [cidr, ipv6Cidr]
      .filter((one) => one !== undefined)
      .map((one) => ({ name: `segment "${name}"`, cidr: one })),
  );
  const issues = [...judgePools(pools, underlays).values()].flat();
  return issues.map((issue) => ({ ...issue, path: "pools" }));
}

function ipv6Issues({ underlay, hosts }: Topology): readonly Issue[] {
  const { segments, routers } = underlay;
  const places = [
    ...routers.flatMap(({ addresses, ipv6Addresses }, router) =>
      ipv6Addresses.map((address, index) => ({
        address,
        beside: addresses,
        path: `underlay.routers[${router}].ipv6Addresses[${index}]`,
      })),
    ),
    ...hosts.flatMap(({ address, ipv6Address }, index) =>
      ipv6Address === undefined
        ? []
        : [{ address: ipv6Address, beside: [address], path: `hosts[${index}].ipv6Address` }],
    ),
  ];
  const isOnWire = ({ address, beside }: (typeof places)[number]): boolean =>
    segments.some(
      ({ cidr, ipv6Cidr }) =>
        ipv6Cidr !== undefined &&
        cidrContainsIp(ipv6Cidr, address) &&
        beside.some((ip) => cidrContainsIp(cidr, ip)),
    );
  return [
    ...segments.flatMap(({ ipv6Cidr }, index) => ipv6CidrIssues(segments.slice(0, index), ipv6Cidr, index)),
    ...places
      .filter((place) => !isOnWire(place))
      .map(({ address, path }) =>
        invalid(path, `"${address}" is not in the ipv6Cidr of a segment that it joins`),
      ),
    ...repeated(places, "address"),
  ];
}

function ipv6CidrIssues(before: readonly Segment[], cidr: Cidr | undefined, index: number): readonly Issue[] {
  if (cidr === undefined) return [];
  const path = `underlay.segments[${index}].ipv6Cidr`;
  if (cidrFamily(cidr) !== 6) return [invalid(path, `"${cidr}" is not IPv6`)];
  const other = before.find(({ ipv6Cidr }) => ipv6Cidr !== undefined && cidrsOverlap(ipv6Cidr, cidr));
  return other
    ? [conflict(path, `"${cidr}" overlaps segment "${other.name}" ("${other.ipv6Cidr ?? ""}")`)]
    : [];
}

/** Those places whose value stands at an earlier place too. */
function repeated<K extends string>(
  places: readonly (Placed & Readonly<Record<K, string>>)[],
  key: K,
): readonly Issue[] {
  return places.flatMap((place, index) => {
    const first = places.slice(0, index).find((before) => before[key] === place[key]);
    return first ? [conflict(place.path, `"${place[key]}" is taken by ${first.path}`)] : [];
  });
}

function invalid(path: string, message: string): Issue {
  return { code: "invalid-value", path, message };
}

function conflict(path: string, message: string): Issue {
  return { code: "conflict", path, message };
}
