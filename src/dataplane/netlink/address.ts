// SPDX-License-Identifier: Apache-2.0
import { type Ip, ipToBytes } from "../../net/ip.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { addressFamilyOf, decodeIp, familyFrom } from "./family.ts";
import { getU32, getU8, putU32 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  checkHeader,
} from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

// enum of linux/if_addr.h
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;

// #define IFA_F_SECONDARY 0x01, which of an IPv6 address is IFA_F_TEMPORARY.
const IFA_F_SECONDARY = 0x01;
const IFA_F_TEMPORARY = 0x01;
// #define IFA_F_DEPRECATED 0x20
const IFA_F_DEPRECATED = 0x20;
// #define IFA_F_NODAD 0x02
const IFA_F_NODAD = 0x02;

const IFADDRMSG_LENGTH = 8;

/** An address of an interface. */
export interface LinkAddress {
  readonly ifIndex: number;
  readonly ip: Ip;
  readonly prefixLength: number;
  /** `RT_SCOPE_*`. The kernel finds that of an IPv6 address itself. */
  readonly scope: number;
  /** Of an IPv4 address; the interface's name where none was given. Up to 15 octets. */
  readonly label?: string;
  /** Whether an IPv4 address came after another of the same network on the interface; only the kernel says so. Absent where it did not. */
  readonly isSecondary?: boolean;
  /**
   * Why an IPv6 address is not for long: it is one of those that are made anew each day (RFC 8981), which only the kernel says; or nothing new is to use it
   * unasked (RFC 4862 section 5.5.4).
   */
  readonly passing?: "temporary" | "deprecated";
}

export interface AddressOptions {
  /** An IPv6 address counts at once, without the second in which duplicates are looked for. */
  readonly skipDuplicateDetection?: boolean;
}

/** Adds an address; `EEXIST` where the interface has it. */
export function addAddress(address: LinkAddress, options?: AddressOptions): NetlinkRequest {
  return addition("add", NLM_F_CREATE | NLM_F_EXCL, address, options);
}

/** Adds an address, or leaves it there. */
export function replaceAddress(address: LinkAddress, options?: AddressOptions): NetlinkRequest {
  return addition("replace", NLM_F_CREATE | NLM_F_REPLACE, address, options);
}

/** Removes an address; `EADDRNOTAVAIL` where there is none. */
export function deleteAddress(address: LinkAddress): NetlinkRequest {
  const body = encodeAddress(address).finish();
  return { description: `delete ${quote(address)}`, type: RTM_DELADDR, flags: 0, body };
}

export const listAddresses: Dump<LinkAddress> = {
  request: {
    description: "list addresses",
    type: RTM_GETADDR,
    flags: NLM_F_DUMP,
    body: new Uint8Array(IFADDRMSG_LENGTH),
  },
  decode: (message) => (message.type === RTM_NEWADDR ? decodeAddress(message) : undefined),
};

/** The address of an `RTM_NEWADDR` or `RTM_DELADDR` message; `undefined` where it is neither IPv4 nor IPv6. */
export function decodeAddress({ body }: NetlinkMessage): LinkAddress | undefined {
  checkHeader(body, IFADDRMSG_LENGTH, "ifaddrmsg");
  const family = familyFrom(getU8(body, 0));
  if (family === undefined) return undefined;
  const attributes = new AttributeDecoder(body, IFADDRMSG_LENGTH);
  let address: Ip | undefined;
  let local: Ip | undefined;
  let label: string | undefined;
  while (attributes.next()) {
    if (attributes.type === IFA_ADDRESS) address = decodeIp(attributes, family);
    if (attributes.type === IFA_LOCAL) local = decodeIp(attributes, family);
    if (attributes.type === IFA_LABEL) label = attributes.string();
  }
  // IFA_ADDRESS is the other end's address where the interface is a point-to-point one; IFA_LOCAL never is.
  const ip = local ?? address;
  if (ip === undefined) return undefined;
  return {
    ifIndex: getU32(body, 4),
    ip,
    prefixLength: getU8(body, 1),
    scope: getU8(body, 3),
    ...(label !== undefined && { label }),
    ...(family === 4 ? secondaryOf(getU8(body, 2)) : passingOf(getU8(body, 2))),
  };
}

function secondaryOf(flags: number): Pick<LinkAddress, "isSecondary"> {
  return (flags & IFA_F_SECONDARY) === 0 ? {} : { isSecondary: true };
}

function passingOf(flags: number): Pick<LinkAddress, "passing"> {
  if ((flags & IFA_F_TEMPORARY) !== 0) return { passing: "temporary" };
  return (flags & IFA_F_DEPRECATED) === 0 ? {} : { passing: "deprecated" };
}

function addition(
  verb: string,
  flags: number,
  address: LinkAddress,
  { skipDuplicateDetection = false }: AddressOptions = {},
): NetlinkRequest {
  const body = encodeAddress(address);
  if (skipDuplicateDetection) body.u32(IFA_FLAGS, IFA_F_NODAD);
  return { description: `${verb} ${quote(address)}`, type: RTM_NEWADDR, flags, body: body.finish() };
}

/** struct ifa_cacheinfo { __u32 ifa_prefered, ifa_valid, cstamp, tstamp; }: not preferred, and valid for ever. */
const DEPRECATED = Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0);

function encodeAddress({ ifIndex, ip, prefixLength, scope, label, passing }: LinkAddress): AttributeEncoder {
  // struct ifaddrmsg { __u8 ifa_family, ifa_prefixlen, ifa_flags, ifa_scope; __u32 ifa_index; }
  const header = Uint8Array.of(addressFamilyOf(ip), prefixLength, 0, scope, 0, 0, 0, 0);
  putU32(header, 4, ifIndex);
  const bytes = ipToBytes(ip);
  const body = new AttributeEncoder(header).bytes(IFA_LOCAL, bytes).bytes(IFA_ADDRESS, bytes);
  if (passing === "deprecated") body.bytes(IFA_CACHEINFO, DEPRECATED);
  return label === undefined ? body : body.string(IFA_LABEL, label);
}

function quote({ ip, prefixLength, ifIndex }: LinkAddress): string {
  return `address "${ip}/${prefixLength}" on link ${ifIndex}`;
}
