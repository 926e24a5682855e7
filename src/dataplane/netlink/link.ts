// SPDX-License-Identifier: Apache-2.0
import { type IfName, parseIfName } from "../../net/if-name.ts";
import { type Mac, macFromBytes, macToBytes } from "../../net/mac.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { AF_UNSPEC } from "./family.ts";
import { getI32, getU32, getU8, putU32 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  checkHeader,
} from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;

// enum net_device_flags (linux/if.h)
export const IFF_UP = 1 << 0;
export const IFF_LOWER_UP = 1 << 16;

// enum of linux/if_link.h
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
// Inside IFLA_LINKINFO.
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
// Inside IFLA_INFO_DATA of a veth (linux/veth.h).
const VETH_INFO_PEER = 1;

// #define RTEXT_FILTER_SKIP_STATS (1 << 3): counters would be most of every message.
const RTEXT_FILTER_SKIP_STATS = 1 << 3;

const IFINFOMSG_LENGTH = 16;

/** A network interface. */
export interface Link {
  /** Positive, and unique in its network namespace. */
  readonly index: number;
  readonly name: IfName;
  /** `veth`, `bridge`, `vxlan` …; absent where a driver gives none (loopback, most hardware). */
  readonly kind?: string;
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
  /** `IFF_*`. */
  readonly flags: number;
}

/** One end of a veth as it is to be made. */
export interface VethEnd {
  readonly name: IfName;
  /** Chosen by the kernel where absent. */
  readonly mac?: Mac;
  readonly mtu?: number;
  readonly up?: boolean;
  /** The namespace to make it in. @default the socket's own */
  readonly netnsFd?: number;
}

export interface NewVeth extends VethEnd {
  /** The kernel cannot switch the peer on while the pair is not whole yet (`ENOTCONN`); `setLink` can, afterwards. */
  readonly peer: VethEnd & { readonly up?: never };
}

export interface NewBridge {
  readonly name: IfName;
  readonly up?: boolean;
  readonly mtu?: number;
}

/** What is absent stays as it is. */
export interface LinkChanges {
  readonly up?: boolean;
  readonly mac?: Mac;
  readonly mtu?: number;
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

/** Makes both ends at once; `EEXIST` where either name is taken. */
export function createVeth(veth: NewVeth): NetlinkRequest {
  const body = encodeEnd(veth).nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, "veth");
    info.nested(IFLA_INFO_DATA, (data) => {
      data.nested(VETH_INFO_PEER, (peer) => encodeEnd(veth.peer, peer));
    });
  });
  return creation(`create veth "${veth.name}" with peer "${veth.peer.name}"`, body);
}

export function createBridge(bridge: NewBridge): NetlinkRequest {
  const body = encodeEnd(bridge).nested(IFLA_LINKINFO, (info) => {
    info.string(IFLA_INFO_KIND, "bridge");
  });
  return creation(`create bridge "${bridge.name}"`, body);
}

/** Changes a link; `ENODEV` where there is none. */
export function setLink(update: LinkUpdate): NetlinkRequest {
  const { newName, up, netnsFd } = update;
  const body = new AttributeEncoder(ifinfomsg("index" in update ? update.index : 0, up));
  if ("name" in update) body.string(IFLA_IFNAME, update.name);
  if (newName !== undefined) body.string(IFLA_IFNAME, newName);
  encodeProperties(body, update);
  if (update.masterIndex !== undefined) body.u32(IFLA_MASTER, update.masterIndex);
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
  const { name, kind, mtu = 0, ...rest } = decodeAttributes(new AttributeDecoder(body, IFINFOMSG_LENGTH));
  if (name === undefined) return undefined;
  return {
    index: getI32(body, 4),
    name,
    ...(kind !== undefined && { kind }),
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
  kind?: string | undefined;
  mac?: Mac;
  mtu?: number;
  masterIndex?: number;
  peerIndex?: number;
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
      case IFLA_MASTER:
        found.masterIndex = attributes.u32();
        break;
      case IFLA_LINK:
        found.peerIndex = attributes.u32();
        break;
      case IFLA_LINKINFO:
        found.kind = decodeKind(attributes.nested());
        break;
    }
  }
  return found;
}

function decodeKind(linkInfo: AttributeDecoder): string | undefined {
  while (linkInfo.next()) if (linkInfo.type === IFLA_INFO_KIND) return linkInfo.string();
  return undefined;
}

function ifNameFrom(text: string): IfName | undefined {
  try {
    return parseIfName(text);
  } catch {
    return undefined;
  }
}

function creation(description: string, body: AttributeEncoder): NetlinkRequest {
  return { description, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body: body.finish() };
}

/** A link to be made, its header included; inside VETH_INFO_PEER the same follows the attribute's own header. */
function encodeEnd(end: VethEnd, into = new AttributeEncoder()): AttributeEncoder {
  into.raw(ifinfomsg(0, end.up)).string(IFLA_IFNAME, end.name);
  encodeProperties(into, end);
  if (end.netnsFd !== undefined) into.u32(IFLA_NET_NS_FD, end.netnsFd);
  return into;
}

function encodeProperties(body: AttributeEncoder, { mac, mtu }: Pick<LinkChanges, "mac" | "mtu">): void {
  if (mac !== undefined) body.bytes(IFLA_ADDRESS, macToBytes(mac));
  if (mtu !== undefined) body.u32(IFLA_MTU, mtu);
}

function encodeRef(ref: LinkRef): AttributeEncoder {
  if ("index" in ref) return new AttributeEncoder(ifinfomsg(ref.index));
  return new AttributeEncoder(ifinfomsg(0)).string(IFLA_IFNAME, ref.name);
}

function quoteRef(ref: LinkRef): string {
  return "index" in ref ? String(ref.index) : `"${ref.name}"`;
}

function ifinfomsg(index: number, up?: boolean): Uint8Array {
  // struct ifinfomsg { unsigned char ifi_family, __ifi_pad; unsigned short ifi_type; int ifi_index;
  //   unsigned ifi_flags, ifi_change; }
  const header = new Uint8Array(IFINFOMSG_LENGTH);
  putU32(header, 4, index);
  if (up === true) putU32(header, 8, IFF_UP);
  if (up !== undefined) putU32(header, 12, IFF_UP);
  return header;
}
