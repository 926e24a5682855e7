// SPDX-License-Identifier: Apache-2.0
// What the messages about links of every kind have in common.
import type { IfName } from "../../net/if-name.ts";
import { type Mac, macToBytes } from "../../net/mac.ts";
import { AttributeEncoder } from "./attribute.ts";
import { putU32 } from "./integer.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./message.ts";
import type { NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWLINK = 16;

// enum net_device_flags (linux/if.h)
export const IFF_UP = 1 << 0;

// enum of linux/if_link.h
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINKINFO = 18;
export const IFLA_NET_NS_FD = 28;
// Inside IFLA_LINKINFO.
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;

export const IFINFOMSG_LENGTH = 16;

/** What a link of any kind is made with. */
export interface NewLink {
  readonly name: IfName;
  /** Chosen by the kernel where absent. */
  readonly mac?: Mac;
  /** Octets; chosen by the kernel where absent. */
  readonly mtu?: number;
  readonly up?: boolean;
  /** The namespace to make it in. @default the socket's own */
  readonly netnsFd?: number;
}

/** Makes a link; `EEXIST` where its name is taken, `EOPNOTSUPP` where the kernel has no such kind. `data` goes into IFLA_INFO_DATA. */
export function createLink(
  kind: string,
  link: NewLink,
  data?: (into: AttributeEncoder) => void,
): NetlinkRequest {
  const body = encodeNewLink(link).nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, kind);
    if (data !== undefined) info.nested(IFLA_INFO_DATA, data);
  });
  return {
    description: `create ${kind} "${link.name}"`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: body.finish(),
  };
}

/** A link to be made, its header included; the other end of a veth is described in the same way inside the first. */
export function encodeNewLink(link: NewLink, into = new AttributeEncoder()): AttributeEncoder {
  into.raw(ifinfomsg(0, link.up)).string(IFLA_IFNAME, link.name);
  encodeProperties(into, link);
  if (link.netnsFd !== undefined) into.u32(IFLA_NET_NS_FD, link.netnsFd);
  return into;
}

export function encodeProperties(body: AttributeEncoder, { mac, mtu }: Pick<NewLink, "mac" | "mtu">): void {
  if (mac !== undefined) body.bytes(IFLA_ADDRESS, macToBytes(mac));
  if (mtu !== undefined) body.u32(IFLA_MTU, mtu);
}

/** `up` stays as it is where absent. */
export function ifinfomsg(index: number, up?: boolean): Uint8Array {
  // struct ifinfomsg { unsigned char ifi_family, __ifi_pad; unsigned short ifi_type; int ifi_index;
  //   unsigned ifi_flags, ifi_change; }
  const header = new Uint8Array(IFINFOMSG_LENGTH);
  putU32(header, 4, index);
  if (up === true) putU32(header, 8, IFF_UP);
  if (up !== undefined) putU32(header, 12, IFF_UP);
  return header;
}
