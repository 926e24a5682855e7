// SPDX-License-Identifier: Apache-2.0
// Tables and elements of their sets, as nfnetlink has them. Elements change with every container, so they have no time for a process of nft's.
import { parseIfName } from "../../net/if-name.ts";
import { ipFromBytes, ipToBytes, parseIp } from "../../net/ip.ts";
import { type AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import { getU16be, getU8, putU16be, putU8 } from "../netlink/integer.ts";
import { NLM_F_CREATE } from "../netlink/message.ts";
import type { NetlinkRequest } from "../netlink/request.ts";
import {
  type NftElementStatement,
  type NftFrame,
  type NftTable,
  type NftType,
  nftTableName,
} from "./statement.ts";

// linux/nfnetlink.h
// #define NFNL_SUBSYS_NFTABLES 10: the upper octet of a message's type
export const NFNL_SUBSYS_NFTABLES = 10;
// #define NFNL_MSG_BATCH_BEGIN NLMSG_MIN_TYPE, which is 0x10; #define NFNL_MSG_BATCH_END NLMSG_MIN_TYPE+1
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
// struct nfgenmsg { __u8 nfgen_family; __u8 version; __be16 res_id; }
export const NFGENMSG_LENGTH = 4;
// linux/netfilter.h: NFPROTO_INET = 1, NFPROTO_IPV4 = 2, NFPROTO_IPV6 = 10
const FAMILIES: Readonly<Record<NftTable["family"], number>> = { inet: 1, ip: 2, ip6: 10 };

// linux/netfilter/nf_tables.h, enum nf_tables_msg_types: the lower octet
const NFT_MSG_GETTABLE = 1;
export const NFT_MSG_NEWSETELEM = 12;
export const NFT_MSG_DELSETELEM = 14;
const NFTA_TABLE_NAME = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
export const NFTA_SET_ELEM_LIST_SET = 2;
export const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_DATA_VALUE = 1;
// libnftnl/udata.h: NFTNL_UDATA_SET_ELEM_COMMENT is 0; type and length of an octet each, then the text and a zero
const NFTNL_UDATA_SET_ELEM_COMMENT = 0;
// linux/if.h: #define IFNAMSIZ 16. Each part of a concatenation is a multiple of 4 octets long.
const IFNAMSIZ = 16;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Two requests between which others take effect together, or not at all. */
export const TRANSACTION: { readonly begin: NetlinkRequest; readonly end: NetlinkRequest } = {
  begin: bracket("begin a transaction of nftables", NFNL_MSG_BATCH_BEGIN),
  end: bracket("end a transaction of nftables", NFNL_MSG_BATCH_END),
};

function bracket(description: string, type: number): NetlinkRequest {
  return { description, type, flags: 0, body: nfgenmsg(0, NFNL_SUBSYS_NFTABLES) };
}

/** Asks for a table without what is in it: refused with `ENOENT` where there is none. */
export function tableRequest(table: NftTable): NetlinkRequest {
  return {
    description: `look for table "${nftTableName(table)}"`,
    type: (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE,
    flags: 0,
    body: new AttributeEncoder(nfgenmsg(FAMILIES[table.family], 0))
      .string(NFTA_TABLE_NAME, table.name)
      .finish(),
  };
}

/** To be executed within a {@link TRANSACTION}. */
export function elementRequest(
  table: NftTable,
  type: NftType,
  { kind, element }: NftElementStatement,
): NetlinkRequest {
  const isNew = kind === "addElement";
  const body = new AttributeEncoder(nfgenmsg(FAMILIES[table.family], 0))
    .string(NFTA_SET_ELEM_LIST_TABLE, table.name)
    .string(NFTA_SET_ELEM_LIST_SET, element.set)
    .nested(NFTA_SET_ELEM_LIST_ELEMENTS, (list) =>
      list.nested(NFTA_LIST_ELEM, (item) => {
        item.nested(NFTA_SET_ELEM_KEY, (key) =>
          key.bytes(NFTA_DATA_VALUE, encodeElementKey(type, element.value)),
        );
        if (isNew && element.comment !== undefined)
          item.bytes(NFTA_SET_ELEM_USERDATA, encodeComment(element.comment));
      }),
    )
    .finish();
  return {
    description: `${isNew ? "add" : "delete"} ${element.value} in set "${element.set}" of table "${nftTableName(table)}"`,
    type: (NFNL_SUBSYS_NFTABLES << 8) | (isNew ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
    flags: isNew ? NLM_F_CREATE : 0,
    body,
  };
}

function nfgenmsg(family: number, resource: number): Uint8Array {
  const bytes = new Uint8Array(NFGENMSG_LENGTH);
  putU8(bytes, 0, family);
  putU16be(bytes, 2, resource);
  return bytes;
}

/** The table's family, by the number that messages have; `undefined` for one that no table of ours has. */
export function familyOfTable(number: number): NftTable["family"] | undefined {
  return (["inet", "ip", "ip6"] as const).find((family) => FAMILIES[family] === number);
}

function encodeElementKey(type: NftType, value: string): Uint8Array {
  switch (type) {
    case "ipv4_addr":
    case "ipv6_addr":
      return ipToBytes(parseIp(value));
    case "inet_proto":
      return Uint8Array.of(Number(value));
    case "inet_service": {
      const bytes = new Uint8Array(2);
      putU16be(bytes, 0, Number(value));
      return bytes;
    }
    case "ifname . ipv4_addr":
    case "ifname . ipv6_addr": {
      const [ifName = "", ip = ""] = value.split(" . ");
      const address = ipToBytes(parseIp(ip));
      const bytes = new Uint8Array(IFNAMSIZ + address.length);
      bytes.set(textEncoder.encode(parseIfName(ifName)));
      bytes.set(address, IFNAMSIZ);
      return bytes;
    }
  }
}

function encodeComment(comment: string): Uint8Array {
  const text = textEncoder.encode(`${comment}\0`);
  return Uint8Array.of(NFTNL_UDATA_SET_ELEM_COMMENT, text.length, ...text);
}

/** What a set of ours has at a key: each type has a length of its own. `undefined` for one of no length that is made here. */
export function decodeElementKey(key: Uint8Array): string | undefined {
  switch (key.length) {
    case 1:
      return String(getU8(key, 0));
    case 2:
      return String(getU16be(key, 0));
    case 4:
    case 16:
      return ipFromBytes(key);
    case IFNAMSIZ + 4:
    case IFNAMSIZ + 16: {
      const name = key.subarray(0, IFNAMSIZ);
      const end = name.indexOf(0);
      return `${textDecoder.decode(end < 0 ? name : name.subarray(0, end))} . ${ipFromBytes(key.subarray(IFNAMSIZ))}`;
    }
    default:
      return undefined;
  }
}

/** The keys of an element list, each `undefined` where it cannot be read. */
export function decodeElementKeys(list: AttributeDecoder): readonly (string | undefined)[] {
  const values: (string | undefined)[] = [];
  while (list.next()) {
    const key = keyOf(list.nested());
    values.push(key && decodeElementKey(key));
  }
  return values;
}

function keyOf(element: AttributeDecoder): Uint8Array | undefined {
  while (element.next()) {
    if (element.type !== NFTA_SET_ELEM_KEY) continue;
    for (const data = element.nested(); data.next();) if (data.type === NFTA_DATA_VALUE) return data.bytes();
  }
  return undefined;
}

/** The types of the sets that elements can be sent to one by one, by name. */
export function setTypes(frame: NftFrame): ReadonlyMap<string, NftType> {
  return new Map(
    frame.flatMap((object) =>
      object.kind === "set" && !object.interval ? [[object.name, object.type] as const] : [],
    ),
  );
}
