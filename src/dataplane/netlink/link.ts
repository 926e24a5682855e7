// SPDX-License-Identifier: Apache-2.0
import { type IfName, parseIfName } from "../../net/if-name.ts";
import { type Mac, macFromBytes } from "../../net/mac.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { AF_UNSPEC } from "./family.ts";
import { getI32, getU32, getU8 } from "./integer.ts";
import { type IpipTunnel, decodeIpip } from "./link-ipip.ts";
import {
  IFF_UP,
  IFINFOMSG_LENGTH,
  IFLA_ADDRESS,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_MTU,
  IFLA_NET_NS_FD,
  RTM_NEWLINK,
  encodeProperties,
  ifinfomsg,
} from "./link-message.ts";
import { type VxlanTunnel, decodeVxlan } from "./link-vxlan.ts";
import { type NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, checkHeader } from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

// enum net_device_flags (linux/if.h)
export const IFF_LOWER_UP = 1 << 16;

// enum of linux/if_link.h
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_IFALIAS = 20;
const IFLA_GROUP = 27;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;

// #define RTEXT_FILTER_SKIP_STATS (1 << 3): counters would be most of every message.
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

/** A tunnel device's own settings. */
export type Tunnel = VxlanTunnel | IpipTunnel;

/** A network interface. */
export interface Link {
  /** Positive, and unique in its network namespace. */
  readonly index: number;
  readonly name: IfName;
  /** `veth`, `bridge`, `vxlan` …; absent where a driver gives none (loopback, most hardware). */
  readonly kind?: string;
  /** A note that anybody may put on an interface, up to 255 octets; absent where there is none. */
  readonly alias?: string;
  /** Of a kind that {@link Tunnel} knows. */
  readonly tunnel?: Tunnel;
  /** Absent where the interface has no six-octet address. */
  readonly mac?: Mac;
  /** Octets. */
  readonly mtu: number;
  /** Switched on by the administrator. */
  readonly up: boolean;
  /** Switched on, with a carrier below. */
  readonly running: boolean;
  /** The bridge, bond or VRF that it is a port of. */
  readonly masterIndex?: number;
  /** Of a veth the other end, of a tunnel the device below; an index in that device's own namespace. */
  readonly peerIndex?: number;
  /** What this namespace calls the one that the device of `peerIndex` is in; absent where that is this one. */
  readonly peerNetnsId?: number;
  /** `IFF_*`. */
  readonly flags: number;
}

/** What is absent stays as it is. */
export interface LinkChanges {
  readonly up?: boolean;
  readonly mac?: Mac;
  readonly mtu?: number;
  /** An empty one takes the alias away. */
  readonly alias?: string;
  /** A number that links may share, to be dealt with at once; 32 bits. */
  readonly group?: number;
  /** 0 takes it out of its bridge, bond or VRF. */
  readonly masterIndex?: number;
  /** Moves the interface there; it comes out switched off, without addresses and routes. */
  readonly netnsFd?: number;
}

/** A new name needs the index: the message has one place for a name. */
export type LinkUpdate = LinkChanges &
  (
    | { readonly index: number; readonly newName?: IfName }
    | { readonly name: IfName; readonly newName?: never }
  );

export type LinkRef = { readonly index: number } | { readonly name: IfName };

/** Changes a link; `ENODEV` where there is none. */
export function setLink(update: LinkUpdate): NetlinkRequest {
  const { newName, up, netnsFd } = update;
  const body = new AttributeEncoder(ifinfomsg("index" in update ? update.index : 0, up));
  if ("name" in update) body.string(IFLA_IFNAME, update.name);
  if (newName !== undefined) body.string(IFLA_IFNAME, newName);
  encodeProperties(body, update);
  if (update.masterIndex !== undefined) body.u32(IFLA_MASTER, update.masterIndex);
  if (update.alias !== undefined) body.string(IFLA_IFALIAS, update.alias);
  if (update.group !== undefined) body.u32(IFLA_GROUP, update.group);
  if (netnsFd !== undefined) body.u32(IFLA_NET_NS_FD, netnsFd);
  return {
    description: `change link ${quoteRef(update)}`,
    type: RTM_SETLINK,
    flags: 0,
    body: body.finish(),
  };
}

/** Removes a link, of a veth both ends; `ENODEV` where there is none. */
export function deleteLink(ref: LinkRef): NetlinkRequest {
  const body = encodeRef(ref).finish();
  return { description: `delete link ${quoteRef(ref)}`, type: RTM_DELLINK, flags: 0, body };
}

/** Removes all links of a group; `ENODEV` where there are none, `EOPNOTSUPP`, and all stay, where one of them cannot be removed. */
export function deleteLinkGroup(group: number): NetlinkRequest {
  const body = new AttributeEncoder(ifinfomsg(0)).u32(IFLA_GROUP, group).finish();
  return { description: `delete links of group ${group}`, type: RTM_DELLINK, flags: 0, body };
}

/** The one link of that name or index; listing it fails with `ENODEV` where there is none. */
export function getLink(ref: IfName | LinkRef): Dump<Link> {
  const link = typeof ref === "string" ? { name: ref } : ref;
  const body = encodeRef(link).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).finish();
  // The acknowledgement tells the end of the answer, as NLMSG_DONE does for a dump.
  return {
    request: { description: `get link ${quoteRef(link)}`, type: RTM_GETLINK, flags: NLM_F_ACK, body },
    decode: decodeNewLink,
  };
}

export const listLinks: Dump<Link> = {
  request: {
    description: "list links",
    type: RTM_GETLINK,
    flags: NLM_F_DUMP,
    body: new AttributeEncoder(ifinfomsg(0)).u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).finish(),
  },
  decode: decodeNewLink,
};

/**
 * The link of an `RTM_NEWLINK` or `RTM_DELLINK` message. `undefined` for a message about something else that has the
 * same type: an `AF_BRIDGE` one tells of a bridge port, and its deletion leaves the link in place. Also for a link
 * whose name is no {@link IfName}: nobody here could have made it.
 */
export function decodeLink({ body }: NetlinkMessage): Link | undefined {
  checkHeader(body, IFINFOMSG_LENGTH, "ifinfomsg");
  if (getU8(body, 0) !== AF_UNSPEC) return undefined;
  const flags = getU32(body, 8);
  const { name, mtu = 0, ...rest } = decodeAttributes(new AttributeDecoder(body, IFINFOMSG_LENGTH));
  if (name === undefined) return undefined;
  return {
    index: getI32(body, 4),
    name,
    mtu,
    ...rest,
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    flags,
  };
}

function decodeNewLink(message: NetlinkMessage): Link | undefined {
  return message.type === RTM_NEWLINK ? decodeLink(message) : undefined;
}

interface LinkAttributes {
  name?: IfName | undefined;
  kind?: string;
  alias?: string;
  tunnel?: Tunnel;
  mac?: Mac;
  mtu?: number;
  masterIndex?: number;
  peerIndex?: number;
  peerNetnsId?: number;
}

function decodeAttributes(attributes: AttributeDecoder): LinkAttributes {
  const found: LinkAttributes = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case IFLA_IFNAME:
        found.name = ifNameFrom(attributes.string());
        break;
      case IFLA_ADDRESS:
        if (attributes.bytes().length === 6) found.mac = macFromBytes(attributes.bytes());
        break;
      case IFLA_MTU:
        found.mtu = attributes.u32();
        break;
      case IFLA_IFALIAS:
        if (attributes.string() !== "") found.alias = attributes.string();
        break;
      case IFLA_MASTER:
        found.masterIndex = attributes.u32();
        break;
      case IFLA_LINK:
        found.peerIndex = attributes.u32();
        break;
      case IFLA_LINK_NETNSID:
        found.peerNetnsId = attributes.u32();
        break;
      case IFLA_LINKINFO:
        Object.assign(found, decodeLinkInfo(attributes.nested()));
        break;
    }
  }
  return found;
}

function decodeLinkInfo(linkInfo: AttributeDecoder): Pick<LinkAttributes, "kind" | "tunnel"> {
  let kind: string | undefined;
  let data: AttributeDecoder | undefined;
  while (linkInfo.next()) {
    if (linkInfo.type === IFLA_INFO_KIND) kind = linkInfo.string();
    if (linkInfo.type === IFLA_INFO_DATA) data = linkInfo.nested();
  }
  if (kind === undefined) return {};
  const tunnel = data && decodeTunnel(kind, data);
  return { kind, ...(tunnel !== undefined && { tunnel }) };
}

function decodeTunnel(kind: string, data: AttributeDecoder): Tunnel | undefined {
  switch (kind) {
    case "vxlan":
      return decodeVxlan(data);
    case "ipip":
      return decodeIpip(data);
    default:
      return undefined;
  }
}

function ifNameFrom(text: string): IfName | undefined {
  try {
    return parseIfName(text);
  } catch {
    return undefined;
  }
}

function encodeRef(ref: LinkRef): AttributeEncoder {
  if ("index" in ref) return new AttributeEncoder(ifinfomsg(ref.index));
  return new AttributeEncoder(ifinfomsg(0)).string(IFLA_IFNAME, ref.name);
}

/** The link as error texts name it. */
export function quoteRef(ref: LinkRef): string {
  return "index" in ref ? String(ref.index) : `"${ref.name}"`;
}
