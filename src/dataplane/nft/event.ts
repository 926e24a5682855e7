// SPDX-License-Identifier: Apache-2.0
import { ipFromBytes } from "../../net/ip.ts";
import { AttributeDecoder } from "../netlink/attribute.ts";
import { getU8, getU16be } from "../netlink/integer.ts";
import { type NetlinkMessage, checkHeader } from "../netlink/message.ts";
import type { Overrun } from "../netlink/subscription.ts";
import { NFT_TABLE, type NftElement } from "./statement.ts";

// linux/netfilter/nfnetlink.h
// #define NFNL_SUBSYS_NFTABLES 10: the upper octet of a message's type
const NFNL_SUBSYS_NFTABLES = 10;
// enum nfnetlink_groups: NFNLGRP_NFTABLES is 7, and group n is bit n - 1 of nl_groups
export const NFTABLES_GROUP_BIT = 1 << 6;
// struct nfgenmsg { __u8 nfgen_family; __u8 version; __be16 res_id; }
const NFGENMSG_LENGTH = 4;
// linux/netfilter.h: NFPROTO_IPV4 = 2
const NFPROTO_IPV4 = 2;

// linux/netfilter/nf_tables.h, enum nf_tables_msg_types: the lower octet
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
// Says that a transaction is over; of no table.
const NFT_MSG_NEWGEN = 15;
/** The table's name, in every kind of message about what belongs to one: `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_SET_TABLE` … */
const NFTA_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

/** A change of our table, whoever made it. */
export type NftEvent =
  | {
      readonly kind: "elements";
      readonly change: "new" | "deleted";
      readonly elements: readonly NftElement[];
    }
  /** Anything else of the table, or all of it: what is there now is to be listed. */
  | { readonly kind: "table" }
  | Overrun;

/** The event that a message of the group is; `undefined` where it is about another table. Others may change theirs often. */
export function decodeNftEvent({ type, body }: NetlinkMessage): NftEvent | undefined {
  const kind = type & 0xff;
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES || kind === NFT_MSG_NEWGEN) return undefined;
  checkHeader(body, NFGENMSG_LENGTH, "nfgenmsg");
  if (getU8(body, 0) !== NFPROTO_IPV4 || tableOf(body) !== NFT_TABLE) return undefined;
  if (kind === NFT_MSG_NEWSETELEM) return elementsEvent("new", body);
  if (kind === NFT_MSG_DELSETELEM) return elementsEvent("deleted", body);
  return { kind: "table" };
}

function tableOf(body: Uint8Array): string | undefined {
  const attributes = new AttributeDecoder(body, NFGENMSG_LENGTH);
  while (attributes.next()) if (attributes.type === NFTA_TABLE) return attributes.string();
  return undefined;
}

function elementsEvent(change: "new" | "deleted", body: Uint8Array): NftEvent {
  const attributes = new AttributeDecoder(body, NFGENMSG_LENGTH);
  let set = "";
  const values: (string | undefined)[] = [];
  while (attributes.next()) {
    if (attributes.type === NFTA_SET_ELEM_LIST_SET) set = attributes.string();
    if (attributes.type === NFTA_SET_ELEM_LIST_ELEMENTS)
      for (const list = attributes.nested(); list.next();) values.push(textOf(keyOf(list.nested())));
  }
  const elements = values.flatMap((value): readonly NftElement[] =>
    value === undefined ? [] : [{ kind: "element", set, value }],
  );
  return elements.length === values.length ? { kind: "elements", change, elements } : { kind: "table" };
}

function keyOf(element: AttributeDecoder): Uint8Array | undefined {
  while (element.next()) {
    if (element.type !== NFTA_SET_ELEM_KEY) continue;
    for (const data = element.nested(); data.next();) if (data.type === NFTA_DATA_VALUE) return data.bytes();
  }
  return undefined;
}

/** The sets that are made here hold protocols, ports and IPv4 addresses, and those differ in length. */
function textOf(key: Uint8Array | undefined): string | undefined {
  if (key?.length === 1) return String(getU8(key, 0));
  if (key?.length === 2) return String(getU16be(key, 0));
  return key?.length === 4 ? ipFromBytes(key) : undefined;
}
