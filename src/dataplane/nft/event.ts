// SPDX-License-Identifier: Apache-2.0
import { AttributeDecoder } from "../netlink/attribute.ts";
import { getU8 } from "../netlink/integer.ts";
import { type NetlinkMessage, checkHeader } from "../netlink/message.ts";
import type { Overrun } from "../netlink/subscription.ts";
import {
  NFGENMSG_LENGTH,
  NFNL_SUBSYS_NFTABLES,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_SET_ELEM_LIST_SET,
  NFT_MSG_DELSETELEM,
  NFT_MSG_NEWSETELEM,
  decodeElementKeys,
  familyOfTable,
} from "./element-message.ts";
import type { NftElement, NftTable } from "./statement.ts";

// linux/netfilter/nfnetlink.h, enum nfnetlink_groups: NFNLGRP_NFTABLES is 7, and group n is bit n - 1 of nl_groups
export const NFTABLES_GROUP_BIT = 1 << 6;
// linux/netfilter/nf_tables.h, enum nf_tables_msg_types: says that a transaction is over; of no table.
const NFT_MSG_NEWGEN = 15;
/** The table's name, in every kind of message about what belongs to one: `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_SET_TABLE` … */
const NFTA_TABLE = 1;
/** What the names of our tables begin with. */
const OURS = "margay";

/** A change of a table of ours, whoever made it. */
export type NftEvent =
  | {
      readonly kind: "elements";
      readonly table: NftTable;
      readonly change: "new" | "deleted";
      readonly elements: readonly NftElement[];
    }
  /** Anything else of the table, or all of it: what is there now is to be listed. */
  | { readonly kind: "table"; readonly table: NftTable }
  | Overrun;

/** The event that a message of the group is; `undefined` where it is about another table. Others may change theirs often. */
export function decodeNftEvent({ type, body }: NetlinkMessage): NftEvent | undefined {
  const kind = type & 0xff;
  if (type >> 8 !== NFNL_SUBSYS_NFTABLES || kind === NFT_MSG_NEWGEN) return undefined;
  checkHeader(body, NFGENMSG_LENGTH, "nfgenmsg");
  const family = familyOfTable(getU8(body, 0));
  const name = family && tableOf(body);
  if (family === undefined || name?.startsWith(OURS) !== true) return undefined;
  const table = { family, name };
  if (kind === NFT_MSG_NEWSETELEM) return elementsEvent(table, "new", body);
  if (kind === NFT_MSG_DELSETELEM) return elementsEvent(table, "deleted", body);
  return { kind: "table", table };
}

function tableOf(body: Uint8Array): string | undefined {
  const attributes = new AttributeDecoder(body, NFGENMSG_LENGTH);
  while (attributes.next()) if (attributes.type === NFTA_TABLE) return attributes.string();
  return undefined;
}

function elementsEvent(table: NftTable, change: "new" | "deleted", body: Uint8Array): NftEvent {
  const attributes = new AttributeDecoder(body, NFGENMSG_LENGTH);
  let set = "";
  let values: readonly (string | undefined)[] = [];
  while (attributes.next()) {
    if (attributes.type === NFTA_SET_ELEM_LIST_SET) set = attributes.string();
    if (attributes.type === NFTA_SET_ELEM_LIST_ELEMENTS) values = decodeElementKeys(attributes.nested());
  }
  const elements = values.flatMap((value): readonly NftElement[] =>
    value === undefined ? [] : [{ kind: "element", set, value }],
  );
  return elements.length === values.length
    ? { kind: "elements", table, change, elements }
    : { kind: "table", table };
}
