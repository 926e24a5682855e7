// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, ipToBytes } from "../../net/ip.ts";
import { type Mac, macFromBytes, macToBytes } from "../../net/mac.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { addressFamilyOf, decodeIp, familyFrom } from "./family.ts";
import { getI32, getU16, getU8, putU16, putU32, putU8 } from "./integer.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, checkHeader } from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

// enum of linux/neighbour.h
export const NDA_DST = 1;
export const NDA_LLADDR = 2;

// Neighbor Cache Entry States (linux/neighbour.h).
export const NUD_INCOMPLETE = 0x01;
export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
/** Never asked for and never forgotten. */
export const NUD_PERMANENT = 0x80;

export const NDMSG_LENGTH = 12;

/** Which link-layer address an address on a link has: an entry of the ARP or the neighbour discovery table. */
export interface Neighbour {
  readonly ifIndex: number;
  readonly ip: Ip;
  readonly family: Family;
  /** Absent while it is not known, or where it has not six octets. */
  readonly mac?: Mac;
  /** `NUD_*`. */
  readonly state: number;
  /** `NTF_*`. */
  readonly flags: number;
}

export type NeighbourKey = Pick<Neighbour, "ifIndex" | "ip">;
/** The family shows in the address. */
export type NewNeighbour = Omit<Neighbour, "family" | "flags"> & Partial<Pick<Neighbour, "flags">>;

/** Adds the entry, or changes the one for the same address. */
export function replaceNeighbour(neighbour: NewNeighbour): NetlinkRequest {
  const body = encodeKey(neighbour, neighbour.state, neighbour.flags);
  if (neighbour.mac !== undefined) body.bytes(NDA_LLADDR, macToBytes(neighbour.mac));
  return {
    description: `replace ${quote(neighbour)}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: body.finish(),
  };
}

/** Removes the entry; `ENOENT` where there is none. */
export function deleteNeighbour(key: NeighbourKey): NetlinkRequest {
  const body = encodeKey(key).finish();
  return { description: `delete ${quote(key)}`, type: RTM_DELNEIGH, flags: 0, body };
}

/** Both families; proxy entries and the forwarding tables of bridges are separate tables. */
export const listNeighbours: Dump<Neighbour> = {
  request: {
    description: "list neighbours",
    type: RTM_GETNEIGH,
    flags: NLM_F_DUMP,
    body: new Uint8Array(NDMSG_LENGTH),
  },
  decode: (message) => (message.type === RTM_NEWNEIGH ? decodeNeighbour(message) : undefined),
};

/** The entry of an `RTM_NEWNEIGH` or `RTM_DELNEIGH` message; `undefined` for one of a bridge's forwarding table. */
export function decodeNeighbour({ body }: NetlinkMessage): Neighbour | undefined {
  checkHeader(body, NDMSG_LENGTH, "ndmsg");
  const family = familyFrom(getU8(body, 0));
  if (family === undefined) return undefined;
  const attributes = new AttributeDecoder(body, NDMSG_LENGTH);
  let ip: Ip | undefined;
  let mac: Mac | undefined;
  while (attributes.next()) {
    if (attributes.type === NDA_DST) ip = decodeIp(attributes, family);
    if (attributes.type === NDA_LLADDR && attributes.bytes().length === 6)
      mac = macFromBytes(attributes.bytes());
  }
  if (ip === undefined) return undefined;
  return {
    ifIndex: getI32(body, 4),
    ip,
    family,
    ...(mac !== undefined && { mac }),
    state: getU16(body, 8),
    flags: getU8(body, 10),
  };
}

function encodeKey({ ifIndex, ip }: NeighbourKey, state = 0, flags = 0): AttributeEncoder {
  const header = ndmsg({ addressFamily: addressFamilyOf(ip), ifIndex, state, flags });
  return new AttributeEncoder(header).bytes(NDA_DST, ipToBytes(ip));
}

interface Ndmsg {
  readonly addressFamily: number;
  readonly ifIndex: number;
  readonly state?: number;
  readonly flags?: number;
}

export function ndmsg({ addressFamily, ifIndex, state = 0, flags = 0 }: Ndmsg): Uint8Array {
  // struct ndmsg { __u8 ndm_family, ndm_pad1; __u16 ndm_pad2; __s32 ndm_ifindex; __u16 ndm_state;
  //   __u8 ndm_flags, ndm_type; }
  const header = new Uint8Array(NDMSG_LENGTH);
  putU8(header, 0, addressFamily);
  putU32(header, 4, ifIndex);
  putU16(header, 8, state);
  putU8(header, 10, flags);
  return header;
}

function quote({ ip, ifIndex }: NeighbourKey): string {
  return `neighbour "${ip}" on link ${ifIndex}`;
}
