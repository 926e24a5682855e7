// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrFamily, cidrOf, prefixLengthOf } from "../../net/cidr.ts";
import { type Family, type Ip, addressBits, familyOf, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { AF_UNSPEC, addressFamily, decodeIp, familyFrom } from "./family.ts";
import { getU32, getU8, putU32 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  checkHeader,
} from "./message.ts";
import {
  type NextHop,
  RTA_GATEWAY,
  RTA_VIA,
  RTNH_F_ONLINK,
  decodeGateway,
  decodeNextHops,
  encodeGateway,
  encodeNextHops,
} from "./next-hop.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

// enum rt_class_t (linux/rtnetlink.h)
export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

// rtm_protocol (linux/rtnetlink.h)
export const RTPROT_UNSPEC = 0;
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;
export const RTPROT_RA = 9;
export const RTPROT_BIRD = 12;

// enum rt_scope_t (linux/rtnetlink.h)
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_SITE = 200;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RT_SCOPE_NOWHERE = 255;

// enum rtattr_type_t (linux/rtnetlink.h)
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
// Inside RTA_METRICS.
const RTAX_MTU = 2;

// #define RTM_F_CLONED 0x200: "This route is cloned", so it is one of the cache.
const RTM_F_CLONED = 0x200;
// #define RTM_F_LOOKUP_TABLE 0x1000: say which table it stands in.
const RTM_F_LOOKUP_TABLE = 0x1000;
// #define RTM_F_FIB_MATCH 0x2000: the route as it stands in the table, not what was made of it for one destination. Linux 4.13.
const RTM_F_FIB_MATCH = 0x2000;

const RTMSG_LENGTH = 12;

/** `rtm_type` (linux/rtnetlink.h), by number. */
const ROUTE_TYPES = [
  "unspec",
  "unicast",
  "local",
  "broadcast",
  "anycast",
  "multicast",
  "blackhole",
  "unreachable",
  "prohibit",
  "throw",
  "nat",
  "xresolve",
] as const;

export type RouteType = (typeof ROUTE_TYPES)[number];

/** A route as it stands in the kernel's table. */
export interface KernelRoute {
  readonly table: number;
  /** The default route's is `0.0.0.0/0` or `::/0`. */
  readonly dst: Cidr;
  readonly type: RouteType;
  /** Who made it: `RTPROT_*`. */
  readonly protocol: number;
  /** `RT_SCOPE_*`; IPv6 has none. */
  readonly scope: number;
  /** Lower is preferred. The kernel makes 1024 of an IPv6 route's 0. */
  readonly metric: number;
  readonly ifIndex?: number;
  readonly gateway?: Ip;
  /** The gateway counts as reachable over the link whatever the addresses say. */
  readonly onlink: boolean;
  /** The source address that packets of the node itself get. */
  readonly prefSrc?: Ip;
  /** Octets; absent where the link's counts. */
  readonly mtu?: number;
  /** Two or more ways; then `ifIndex` and `gateway` are absent. */
  readonly nextHops?: readonly NextHop[];
}

/**
 * Which route to delete: only one that agrees in every field given. A metric of 0 agrees with any, and the
 * route with the lowest goes.
 */
export type RouteKey = Pick<KernelRoute, "table" | "dst" | "metric"> &
  Partial<Pick<KernelRoute, "type" | "protocol" | "ifIndex" | "gateway">>;

/** Adds a route; `EEXIST` where there is one with the same destination and metric in the table. */
export function addRoute(route: KernelRoute): NetlinkRequest {
  return routeRequest("add", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

/** Adds a route, in place of one with the same destination and metric in the table. */
export function replaceRoute(route: KernelRoute): NetlinkRequest {
  return routeRequest("replace", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

/** Removes a route; `ESRCH` where there is none. */
export function deleteRoute({
  table,
  dst,
  metric,
  type,
  protocol,
  ifIndex,
  gateway,
}: RouteKey): NetlinkRequest {
  return routeRequest("delete", RTM_DELROUTE, 0, {
    table,
    dst,
    metric,
    type: type ?? "unspec",
    protocol: protocol ?? RTPROT_UNSPEC,
    // In a deletion, "nowhere" is any scope.
    scope: RT_SCOPE_NOWHERE,
    onlink: false,
    ...(ifIndex !== undefined && { ifIndex }),
    ...(gateway !== undefined && { gateway }),
  });
}

/** What the kernel is to leave out of a listing. */
export interface RouteFilter {
  /** @default both */
  readonly family?: Family;
  /** @default every table */
  readonly table?: number;
  /** @default every protocol */
  readonly protocol?: number;
}

/**
 * The routes that the filter lets through; the kernel itself applies it (since Linux 4.20). Naming a family and a
 * table that it has not fails with `ENOENT`.
 */
export function listRoutesWhere({ family, table, protocol = RTPROT_UNSPEC }: RouteFilter): Dump<KernelRoute> {
  const body = new AttributeEncoder(
    rtmsg({ family: family === undefined ? AF_UNSPEC : addressFamily(family), protocol }),
  );
  if (table !== undefined) body.u32(RTA_TABLE, table);
  return {
    request: { description: "list routes", type: RTM_GETROUTE, flags: NLM_F_DUMP, body: body.finish() },
    decode: (message) => (message.type === RTM_NEWROUTE ? decodeRoute(message) : undefined),
  };
}

/** How packets that the node itself sends get to an address. */
export interface RouteLookup {
  readonly ifIndex: number;
  /** The source address that they get. */
  readonly prefSrc: Ip;
  /** Absent where the destination is on a network of the node, or the node's own. */
  readonly gateway?: Ip;
}

/**
 * The kernel's own lookup of the way to an address, by all its rules and tables. Listing it fails where there is no way: with
 * `ENETUNREACH`, or as a route of that type says, `EHOSTUNREACH`, `EACCES` or `EINVAL`.
 */
export function lookUpRoute(dst: Ip): Dump<RouteLookup> {
  const family = familyOf(dst);
  const header = rtmsg({
    family: addressFamily(family),
    dstLength: addressBits(family),
    protocol: RTPROT_UNSPEC,
  });
  const body = new AttributeEncoder(header).bytes(RTA_DST, ipToBytes(dst)).finish();
  return {
    request: { description: `look up the route to "${dst}"`, type: RTM_GETROUTE, flags: NLM_F_ACK, body },
    decode: (message) => (message.type === RTM_NEWROUTE ? decodeLookup(message) : undefined),
  };
}

/** A packet as far as routes depend on it. */
export interface RoutedPacket {
  readonly dst: Ip;
  readonly src?: Ip;
  /** The interface that it comes in by; absent for one that the node itself sends. */
  readonly inIfIndex?: number;
}

/**
 * The route that the kernel takes for such a packet, as it stands in its table. One that comes in is checked as packets are: listing it fails with
 * `EINVAL` where the reverse-path filter drops it or the route is a blackhole, with `EHOSTUNREACH` where its interface does not forward, both of IPv4
 * alone, and as {@link lookUpRoute} otherwise.
 */
export function matchRoute({ dst, src, inIfIndex }: RoutedPacket): Dump<KernelRoute> {
  const family = familyOf(dst);
  const header = rtmsg({
    family: addressFamily(family),
    dstLength: addressBits(family),
    ...(src !== undefined && { srcLength: addressBits(family) }),
    protocol: RTPROT_UNSPEC,
    // IPv6 always says which table, and takes no such flag.
    flags: family === 4 ? RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH : RTM_F_FIB_MATCH,
  });
  const body = new AttributeEncoder(header).bytes(RTA_DST, ipToBytes(dst));
  if (src !== undefined) body.bytes(RTA_SRC, ipToBytes(src));
  if (inIfIndex !== undefined) body.u32(RTA_IIF, inIfIndex);
  const from = src === undefined ? "" : ` from "${src}"`;
  return {
    request: {
      description: `look up the route to "${dst}"${from}`,
      type: RTM_GETROUTE,
      flags: NLM_F_ACK,
      body: body.finish(),
    },
    decode: (message) => (message.type === RTM_NEWROUTE ? decodeRoute(message) : undefined),
  };
}

function decodeLookup({ body }: NetlinkMessage): RouteLookup | undefined {
  checkHeader(body, RTMSG_LENGTH, "rtmsg");
  const family = familyFrom(getU8(body, 0));
  if (family === undefined) return undefined;
  const { ifIndex, prefSrc, gateway } = decodeAttributes(new AttributeDecoder(body, RTMSG_LENGTH), family);
  if (ifIndex === undefined || prefSrc === undefined) return undefined;
  return { ifIndex, prefSrc, ...(gateway !== undefined && { gateway }) };
}

/** The routes of both families in every table. */
export const listRoutes: Dump<KernelRoute> = listRoutesWhere({});

/**
 * The route of an `RTM_NEWROUTE` or `RTM_DELROUTE` message. `undefined` for what {@link KernelRoute} cannot say: a route of
 * another family, of the cache, for certain sources or types of service only. Half described, it could pass for another.
 */
export function decodeRoute({ body }: NetlinkMessage): KernelRoute | undefined {
  checkHeader(body, RTMSG_LENGTH, "rtmsg");
  const family = familyFrom(getU8(body, 0));
  const flags = getU32(body, 8);
  const type = ROUTE_TYPES[getU8(body, 7)];
  const [srcLength, tos] = [getU8(body, 2), getU8(body, 3)];
  if (family === undefined || type === undefined || srcLength !== 0 || tos !== 0) return undefined;
  if ((flags & RTM_F_CLONED) !== 0) return undefined;
  const { dst = unspecified(family), ...found } = decodeAttributes(
    new AttributeDecoder(body, RTMSG_LENGTH),
    family,
  );
  return {
    table: getU8(body, 4),
    dst: cidrOf(dst, getU8(body, 1)),
    type,
    protocol: getU8(body, 5),
    scope: getU8(body, 6),
    metric: 0,
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    ...found,
  };
}

type Attributes = Partial<{ -readonly [Field in keyof KernelRoute]: KernelRoute[Field] }>;

function decodeAttributes(
  attributes: AttributeDecoder,
  family: Family,
): Omit<Attributes, "dst"> & { dst?: Ip } {
  const found: Omit<Attributes, "dst"> & { dst?: Ip } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case RTA_DST:
        found.dst = decodeIp(attributes, family);
        break;
      case RTA_OIF:
        found.ifIndex = attributes.u32();
        break;
      case RTA_PRIORITY:
        found.metric = attributes.u32();
        break;
      case RTA_PREFSRC:
        found.prefSrc = decodeIp(attributes, family);
        break;
      case RTA_TABLE:
        found.table = attributes.u32();
        break;
      case RTA_METRICS:
        Object.assign(found, decodeMetrics(attributes.nested()));
        break;
      case RTA_MULTIPATH:
        found.nextHops = decodeNextHops(attributes.bytes(), family);
        break;
      case RTA_GATEWAY:
      case RTA_VIA:
        Object.assign(found, { gateway: decodeGateway(attributes, family) });
        break;
    }
  }
  return found;
}

function decodeMetrics(metrics: AttributeDecoder): { mtu?: number } {
  while (metrics.next()) if (metrics.type === RTAX_MTU) return { mtu: metrics.u32() };
  return {};
}

function routeRequest(verb: string, type: number, flags: number, route: KernelRoute): NetlinkRequest {
  return { description: `${verb} ${quote(route)}`, type, flags, body: encodeRoute(route) };
}

function encodeRoute(route: KernelRoute): Uint8Array {
  const { dst, ifIndex, gateway, prefSrc, mtu, nextHops } = route;
  const family = cidrFamily(dst);
  const body = new AttributeEncoder(
    rtmsg({
      family: addressFamily(family),
      dstLength: prefixLengthOf(dst),
      protocol: route.protocol,
      scope: route.scope,
      type: ROUTE_TYPES.indexOf(route.type),
      flags: route.onlink ? RTNH_F_ONLINK : 0,
    }),
  );
  body
    .bytes(RTA_DST, ipToBytes(cidrAddress(dst)))
    .u32(RTA_TABLE, route.table)
    .u32(RTA_PRIORITY, route.metric);
  if (ifIndex !== undefined) body.u32(RTA_OIF, ifIndex);
  if (gateway !== undefined) encodeGateway(body, gateway, family);
  if (prefSrc !== undefined) body.bytes(RTA_PREFSRC, ipToBytes(prefSrc));
  if (mtu !== undefined) body.nested(RTA_METRICS, (metrics) => metrics.u32(RTAX_MTU, mtu));
  if (nextHops !== undefined) body.bytes(RTA_MULTIPATH, encodeNextHops(nextHops, family));
  return body.finish();
}

interface Rtmsg {
  readonly family: number;
  readonly dstLength?: number;
  readonly srcLength?: number;
  readonly protocol: number;
  readonly scope?: number;
  readonly type?: number;
  readonly flags?: number;
}

/** The table goes into RTA_TABLE, which holds more than the eight bits there are here. */
function rtmsg({
  family,
  dstLength = 0,
  srcLength = 0,
  protocol,
  scope = 0,
  type = 0,
  flags = 0,
}: Rtmsg): Uint8Array {
  // struct rtmsg { unsigned char rtm_family, rtm_dst_len, rtm_src_len, rtm_tos, rtm_table, rtm_protocol, rtm_scope,
  //   rtm_type; unsigned rtm_flags; }
  const header = Uint8Array.of(family, dstLength, srcLength, 0, 0, protocol, scope, type, 0, 0, 0, 0);
  putU32(header, 8, flags);
  return header;
}

function unspecified(family: Family): Ip {
  return ipFromBytes(new Uint8Array(family === 4 ? 4 : 16));
}

function quote({ dst, gateway, ifIndex, table }: RouteKey): string {
  const via = gateway === undefined ? "" : ` via "${gateway}"`;
  const on = ifIndex === undefined ? "" : ` on link ${ifIndex}`;
  return `route "${dst}"${via}${on}${table === RT_TABLE_MAIN ? "" : ` in table ${table}`}`;
}
