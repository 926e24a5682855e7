// SPDX-License-Identifier: Apache-2.0
import { type Ip, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { type Mac, macFromBytes, macToBytes } from "../../net/mac.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { AF_BRIDGE } from "./family.ts";
import { getI32, getU16, getU8 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  checkHeader,
} from "./message.ts";
import {
  NDA_DST,
  NDA_LLADDR,
  NDMSG_LENGTH,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  ndmsg,
} from "./neighbour.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// Neighbor Cache Entry Flags (linux/neighbour.h).
/** The entry is the device's own, and not of the bridge that the device is a port of. */
export const NTF_SELF = 1 << 1;

/**
 * Where frames to a link-layer address go: an entry of the forwarding table of a VXLAN device or a bridge. A VXLAN device has
 * as many for one address as there are other ends to send a copy to.
 */
export interface ForwardingEntry {
  readonly ifIndex: number;
  /** All zeros is whatever address has no entry of its own. */
  readonly mac: Mac;
  /**
   * The other end of the tunnel; absent in a bridge. Kernels like 6.1 tell of each change to a VXLAN device's table twice, the second
   * time without this.
   */
  readonly dst?: Ip;
  /** `NUD_*`. */
  readonly state: number;
  /** `NTF_*`. */
  readonly flags: number;
}

/** Without `dst`, every entry of that address. */
export type ForwardingKey = Pick<ForwardingEntry, "ifIndex" | "mac" | "dst">;
/** A permanent entry of a VXLAN device. */
export type NewForwardingEntry = Required<ForwardingKey>;

/**
 * Adds a permanent entry in place of the one there is for that address. `EOPNOTSUPP` for an address that is all zeros or multicast,
 * and where there are several.
 */
export function replaceForwardingEntry(entry: NewForwardingEntry): NetlinkRequest {
  return newEntry("replace", entry, NLM_F_CREATE | NLM_F_REPLACE);
}

/** Adds a permanent entry beside those that there are for an address that is all zeros or multicast; the same again changes nothing. */
export function appendForwardingEntry(entry: NewForwardingEntry): NetlinkRequest {
  return newEntry("append", entry, NLM_F_CREATE | NLM_F_APPEND);
}

/** Removes the entries; `ENOENT` where the address has none. Nothing happens where it has others, but none to `dst`. */
export function deleteForwardingEntry(key: ForwardingKey): NetlinkRequest {
  const body = encodeKey(key).finish();
  return { description: `delete ${quote(key)}`, type: RTM_DELNEIGH, flags: 0, body };
}

/** The entries of one device, or of every one. Includes what devices receive themselves, such as multicast addresses. */
export function listForwardingEntries({
  ifIndex = 0,
}: {
  readonly ifIndex?: number;
} = {}): Dump<ForwardingEntry> {
  return {
    request: {
      description: "list forwarding entries",
      type: RTM_GETNEIGH,
      flags: NLM_F_DUMP,
      body: ndmsg({ addressFamily: AF_BRIDGE, ifIndex }),
    },
    decode: (message) => (message.type === RTM_NEWNEIGH ? decodeForwardingEntry(message) : undefined),
  };
}

/** The entry of an `RTM_NEWNEIGH` or `RTM_DELNEIGH` message; `undefined` for one of an ARP or neighbour discovery table. */
export function decodeForwardingEntry({ body }: NetlinkMessage): ForwardingEntry | undefined {
  checkHeader(body, NDMSG_LENGTH, "ndmsg");
  if (getU8(body, 0) !== AF_BRIDGE) return undefined;
  const attributes = new AttributeDecoder(body, NDMSG_LENGTH);
  let dst: Ip | undefined;
  let mac: Mac | undefined;
  while (attributes.next()) {
    // Of either family: nothing but the length tells which.
    if (attributes.type === NDA_DST) dst = ipFromBytes(attributes.bytes());
    if (attributes.type === NDA_LLADDR && attributes.bytes().length === 6)
      mac = macFromBytes(attributes.bytes());
  }
  if (mac === undefined) return undefined;
  return {
    ifIndex: getI32(body, 4),
    mac,
    ...(dst !== undefined && { dst }),
    state: getU16(body, 8),
    flags: getU8(body, 10),
  };
}

function newEntry(verb: string, entry: NewForwardingEntry, flags: number): NetlinkRequest {
  const body = encodeKey(entry, NUD_PERMANENT).finish();
  return { description: `${verb} ${quote(entry)}`, type: RTM_NEWNEIGH, flags, body };
}

function encodeKey({ ifIndex, mac, dst }: ForwardingKey, state = 0): AttributeEncoder {
  const header = ndmsg({ addressFamily: AF_BRIDGE, ifIndex, state, flags: NTF_SELF });
  const body = new AttributeEncoder(header).bytes(NDA_LLADDR, macToBytes(mac));
  if (dst !== undefined) body.bytes(NDA_DST, ipToBytes(dst));
  return body;
}

function quote({ mac, dst, ifIndex }: ForwardingKey): string {
  const to = dst === undefined ? "" : ` to "${dst}"`;
  return `forwarding entry "${mac}"${to} on link ${ifIndex}`;
}
