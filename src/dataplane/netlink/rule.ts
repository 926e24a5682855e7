// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrOf, prefixLengthOf } from "../../net/cidr.ts";
import { type Family, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { addressFamily, familyFrom } from "./family.ts";
import { getU32, getU8, putU32, putU8 } from "./integer.ts";
import { type NetlinkMessage, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, checkHeader } from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/rtnetlink.h
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

// enum of linux/fib_rules.h
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_PAD = 18;
const FRA_PROTOCOL = 21;
// FR_ACT_TO_TBL: "Pass to fixed table".
const FR_ACT_TO_TBL = 1;
// #define FIB_RULE_INVERT 0x00000002
const FIB_RULE_INVERT = 0x02;
/** Of FRA_SUPPRESS_PREFIXLEN, which every rule in a dump has. */
const NOTHING_SUPPRESSED = 0xffffffff;

const FIB_RULE_HDR_LENGTH = 12;

/** A routing policy rule: which table packets with a mark, or from a prefix, are looked up in. */
export interface Rule {
  readonly family: Family;
  /** Where packets come from; absent where the rule looks at no source. */
  readonly src?: Cidr;
  /** Lower comes first. */
  readonly priority: number;
  /** The table looked up, `RT_TABLE_*` or any other. */
  readonly table: number;
  /** Absent where the rule looks at no mark. */
  readonly fwmark?: number;
  /** The bits of the packet's mark that count. The kernel lists all of them where none were given with a mark. */
  readonly fwmask?: number;
  /** The rule counts for the packets that do not match. */
  readonly invert: boolean;
  /** Who made it: `RTPROT_*` (in rules since Linux 4.17). */
  readonly protocol: number;
}

/** Adds a rule; `EEXIST` where there is the same. */
export function addRule(rule: Rule): NetlinkRequest {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return { description: `add ${quote(rule)}`, type: RTM_NEWRULE, flags, body: encodeRule(rule) };
}

/** Removes the first rule that has all of this; `ENOENT` where there is none. */
export function deleteRule(rule: Rule): NetlinkRequest {
  return { description: `delete ${quote(rule)}`, type: RTM_DELRULE, flags: 0, body: encodeRule(rule) };
}

/** Both families; only rules that a {@link Rule} says all about. */
export const listRules: Dump<Rule> = {
  request: {
    description: "list rules",
    type: RTM_GETRULE,
    flags: NLM_F_DUMP,
    body: new Uint8Array(FIB_RULE_HDR_LENGTH),
  },
  decode: (message) => (message.type === RTM_NEWRULE ? decodeRule(message) : undefined),
};

/**
 * The rule of an `RTM_NEWRULE` or `RTM_DELRULE` message. `undefined` where it has a selector or an action that
 * {@link Rule} has no field for: half described, it could pass for one of ours.
 */
export function decodeRule({ body }: NetlinkMessage): Rule | undefined {
  checkHeader(body, FIB_RULE_HDR_LENGTH, "fib_rule_hdr");
  const family = familyFrom(getU8(body, 0));
  const [dstLength, srcLength, tos] = [getU8(body, 1), getU8(body, 2), getU8(body, 3)];
  if (family === undefined || dstLength !== 0 || tos !== 0) return undefined;
  if (getU8(body, 7) !== FR_ACT_TO_TBL) return undefined;
  const found = decodeAttributes(new AttributeDecoder(body, FIB_RULE_HDR_LENGTH), srcLength);
  if (found === undefined) return undefined;
  return {
    family,
    priority: 0,
    table: getU8(body, 4),
    protocol: 0,
    ...found,
    invert: (getU32(body, 8) & FIB_RULE_INVERT) !== 0,
  };
}

type Attributes = Partial<{ -readonly [Field in keyof Rule]: Rule[Field] }>;

function decodeAttributes(attributes: AttributeDecoder, srcLength: number): Attributes | undefined {
  const found: Attributes = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case FRA_SRC:
        found.src = cidrOf(ipFromBytes(attributes.bytes()), srcLength);
        break;
      case FRA_PRIORITY:
        found.priority = attributes.u32();
        break;
      case FRA_TABLE:
        found.table = attributes.u32();
        break;
      case FRA_FWMARK:
        found.fwmark = attributes.u32();
        break;
      case FRA_FWMASK:
        found.fwmask = attributes.u32();
        break;
      case FRA_PROTOCOL:
        found.protocol = attributes.u8();
        break;
      case FRA_SUPPRESS_PREFIXLEN:
        if (attributes.u32() !== NOTHING_SUPPRESSED) return undefined;
        break;
      case FRA_PAD:
        break;
      default:
        return undefined;
    }
  }
  return found;
}

function encodeRule(rule: Rule): Uint8Array {
  const { family, src, priority, table, fwmark, fwmask, invert, protocol } = rule;
  // struct fib_rule_hdr { __u8 family, dst_len, src_len, tos, table, res1, res2, action; __u32 flags; }
  const header = new Uint8Array(FIB_RULE_HDR_LENGTH);
  putU8(header, 0, addressFamily(family));
  if (src !== undefined) putU8(header, 2, prefixLengthOf(src));
  putU8(header, 7, FR_ACT_TO_TBL);
  putU32(header, 8, invert ? FIB_RULE_INVERT : 0);
  const body = new AttributeEncoder(header).u32(FRA_PRIORITY, priority).u32(FRA_TABLE, table);
  if (src !== undefined) body.bytes(FRA_SRC, ipToBytes(cidrAddress(src)));
  if (fwmark !== undefined) body.u32(FRA_FWMARK, fwmark);
  if (fwmask !== undefined) body.u32(FRA_FWMASK, fwmask);
  return body.u8(FRA_PROTOCOL, protocol).finish();
}

function quote({ family, priority, table }: Rule): string {
  return `IPv${family} rule ${priority} for table ${table}`;
}
