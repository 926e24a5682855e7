// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { addressFamilyOf, decodeIp, familyFrom } from "./family.ts";
import { getI32, getU16, getU8, putU16, putU32, putU8 } from "./integer.ts";
import { nlmsgAlign } from "./message.ts";

// enum rtattr_type_t (linux/rtnetlink.h)
export const RTA_GATEWAY = 5;
export const RTA_VIA = 18;

// #define RTNH_F_ONLINK 4 (linux/rtnetlink.h)
export const RTNH_F_ONLINK = 4;

const RTNEXTHOP_LENGTH = 8;

/** One way of a route that has several. */
export interface NextHop {
  readonly ifIndex: number;
  readonly gateway?: Ip;
  /** The gateway counts as reachable over the link whatever the addresses say. */
  readonly onlink: boolean;
  /** The share of flows that go this way, 1 … 256. */
  readonly weight: number;
}

/** Adds the gateway of a route of that family; one of the other family has an attribute of its own (RFC 5549). */
export function encodeGateway(into: AttributeEncoder, gateway: Ip, family: Family): void {
  const address = ipToBytes(gateway);
  if (familyOf(gateway) === family) {
    into.bytes(RTA_GATEWAY, address);
    return;
  }
  // struct rtvia { __kernel_sa_family_t rtvia_family; __u8 rtvia_addr[]; }
  const via = new Uint8Array(2 + address.length);
  putU16(via, 0, addressFamilyOf(gateway));
  via.set(address, 2);
  into.bytes(RTA_VIA, via);
}

/** The gateway in the current attribute, an `RTA_GATEWAY` or `RTA_VIA`. */
export function decodeGateway(attributes: AttributeDecoder, family: Family): Ip | undefined {
  if (attributes.type === RTA_GATEWAY) return decodeIp(attributes, family);
  const via = attributes.bytes();
  if (via.length < 2) throw new RangeError(`Cannot decode rtvia: want 2 bytes, have ${via.length}`);
  const known = familyFrom(getU16(via, 0));
  return known === undefined ? undefined : ipFromBytes(via.subarray(2));
}

/** The value of an `RTA_MULTIPATH` attribute. */
export function encodeNextHops(nextHops: readonly NextHop[], family: Family): Uint8Array {
  const all = new AttributeEncoder();
  for (const { ifIndex, gateway, onlink, weight } of nextHops) {
    // struct rtnexthop { unsigned short rtnh_len; unsigned char rtnh_flags, rtnh_hops; int rtnh_ifindex; }
    const header = new Uint8Array(RTNEXTHOP_LENGTH);
    const one = new AttributeEncoder(header);
    if (gateway !== undefined) encodeGateway(one, gateway, family);
    const bytes = one.finish();
    putU16(bytes, 0, bytes.length);
    putU8(bytes, 2, onlink ? RTNH_F_ONLINK : 0);
    putU8(bytes, 3, weight - 1);
    putU32(bytes, 4, ifIndex);
    all.raw(bytes);
  }
  return all.finish();
}

/** The inverse of {@link encodeNextHops}; throws `RangeError` where a next hop does not fit into the bytes. */
export function decodeNextHops(bytes: Uint8Array, family: Family): readonly NextHop[] {
  const nextHops: NextHop[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.length - offset;
    const length = rest < RTNEXTHOP_LENGTH ? 0 : getU16(bytes, offset);
    if (length < RTNEXTHOP_LENGTH || length > rest)
      throw new RangeError(`Cannot decode rtnexthop: length ${length}, with ${rest} bytes there`);
    nextHops.push(decodeNextHop(bytes.subarray(offset, offset + length), family));
    offset += nlmsgAlign(length);
  }
  return nextHops;
}

function decodeNextHop(bytes: Uint8Array, family: Family): NextHop {
  const attributes = new AttributeDecoder(bytes, RTNEXTHOP_LENGTH);
  let gateway: Ip | undefined;
  while (attributes.next())
    if (attributes.type === RTA_GATEWAY || attributes.type === RTA_VIA)
      gateway = decodeGateway(attributes, family);
  return {
    ifIndex: getI32(bytes, 4),
    ...(gateway !== undefined && { gateway }),
    onlink: (getU8(bytes, 2) & RTNH_F_ONLINK) !== 0,
    weight: getU8(bytes, 3) + 1,
  };
}
