// SPDX-License-Identifier: Apache-2.0
import type { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { type GenlFamily, genlAttributes, genlMessage } from "./genl-message.ts";
import { type LinkRef, quoteRef } from "./link.ts";
import { NLM_F_ACK } from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";

// linux/ethtool_netlink.h, of Linux 5.7
// #define ETHTOOL_GENL_NAME "ethtool"
export const ETHTOOL_GENL_NAME = "ethtool";
// enum of message types to and from the kernel
const ETHTOOL_MSG_FEATURES_GET = 11;
const ETHTOOL_MSG_FEATURES_SET = 12;
const ETHTOOL_MSG_FEATURES_GET_REPLY = 11;
// Request header.
const ETHTOOL_A_HEADER_DEV_INDEX = 1;
const ETHTOOL_A_HEADER_DEV_NAME = 2;
const ETHTOOL_A_HEADER_FLAGS = 3;
// #define ETHTOOL_FLAG_OMIT_REPLY (1 << 1): an acknowledgement is enough.
const ETHTOOL_FLAG_OMIT_REPLY = 1 << 1;
// Bit sets.
const ETHTOOL_A_BITSET_NOMASK = 1;
const ETHTOOL_A_BITSET_BITS = 3;
const ETHTOOL_A_BITSET_BITS_BIT = 1;
const ETHTOOL_A_BITSET_BIT_NAME = 2;
const ETHTOOL_A_BITSET_BIT_VALUE = 3;
// Features.
const ETHTOOL_A_FEATURES_HEADER = 1;
const ETHTOOL_A_FEATURES_HW = 2;
const ETHTOOL_A_FEATURES_WANTED = 3;
const ETHTOOL_A_FEATURES_ACTIVE = 4;

/** The offloads of a link, by the names that `ethtool -k` prints (net/ethtool/common.c). */
export interface LinkFeatures {
  /** Those that are on. */
  readonly active: ReadonlySet<string>;
  /** Those that can be switched. */
  readonly changeable: ReadonlySet<string>;
}

/** All of the kernel's ways to leave a checksum to the device. One device has some of them. */
export const TX_CHECKSUM_FEATURES = [
  "tx-checksum-ipv4",
  "tx-checksum-ip-generic",
  "tx-checksum-ipv6",
  "tx-checksum-fcoe-crc",
  "tx-checksum-sctp",
] as const;

/**
 * Switches offloads on or off. Those that the link has not, or cannot switch, stay as they are without an error; those that depend
 * on a switched one follow it, as segmentation follows checksums. `ENODEV` where there is no such link.
 */
export function setFeatures(
  family: GenlFamily,
  ref: LinkRef,
  features: Readonly<Record<string, boolean>>,
): NetlinkRequest {
  const body = featuresMessage(ETHTOOL_MSG_FEATURES_SET, family, ref, ETHTOOL_FLAG_OMIT_REPLY);
  body.nested(ETHTOOL_A_FEATURES_WANTED, (bitset) => {
    bitset.nested(ETHTOOL_A_BITSET_BITS, (bits) => {
      for (const [name, isOn] of Object.entries(features)) encodeBit(bits, name, isOn);
    });
  });
  return {
    description: `change features of link ${quoteRef(ref)}`,
    type: family.id,
    flags: 0,
    body: body.finish(),
  };
}

/** Switches the transmit checksum offload, of whatever kind the link has, as `ethtool -K <link> tx on|off` does. */
export function setTxChecksum(family: GenlFamily, ref: LinkRef, isOn: boolean): NetlinkRequest {
  return setFeatures(family, ref, Object.fromEntries(TX_CHECKSUM_FEATURES.map((name) => [name, isOn])));
}

/** The features of one link; listing them fails with `ENODEV` where there is none. */
export function getFeatures(family: GenlFamily, ref: LinkRef): Dump<LinkFeatures> {
  const body = featuresMessage(ETHTOOL_MSG_FEATURES_GET, family, ref).finish();
  return {
    request: {
      description: `get features of link ${quoteRef(ref)}`,
      type: family.id,
      flags: NLM_F_ACK,
      body,
    },
    decode: (message) => {
      const attributes = genlAttributes(message, family, ETHTOOL_MSG_FEATURES_GET_REPLY);
      return attributes && decodeFeatures(attributes);
    },
  };
}

function featuresMessage(command: number, family: GenlFamily, ref: LinkRef, flags = 0): AttributeEncoder {
  return genlMessage(command, family.version).nested(ETHTOOL_A_FEATURES_HEADER, (header) => {
    if ("index" in ref) header.u32(ETHTOOL_A_HEADER_DEV_INDEX, ref.index);
    else header.string(ETHTOOL_A_HEADER_DEV_NAME, ref.name);
    if (flags !== 0) header.u32(ETHTOOL_A_HEADER_FLAGS, flags);
  });
}

/** A bit that is named is changed; whether it has a value, an empty one, says to what. */
function encodeBit(bits: AttributeEncoder, name: string, isOn: boolean): void {
  bits.nested(ETHTOOL_A_BITSET_BITS_BIT, (bit) => {
    bit.string(ETHTOOL_A_BITSET_BIT_NAME, name);
    if (isOn) bit.bytes(ETHTOOL_A_BITSET_BIT_VALUE, new Uint8Array(0));
  });
}

function decodeFeatures(attributes: AttributeDecoder): LinkFeatures {
  let active: ReadonlySet<string> = new Set();
  let changeable: ReadonlySet<string> = new Set();
  while (attributes.next()) {
    if (attributes.type === ETHTOOL_A_FEATURES_ACTIVE) active = decodeBitset(attributes.nested());
    if (attributes.type === ETHTOOL_A_FEATURES_HW) changeable = decodeBitset(attributes.nested());
  }
  return { active, changeable };
}

/** The names of the bits that are set: of a set without a mask, those that are listed; of one with, those that have a value. */
function decodeBitset(bitset: AttributeDecoder): ReadonlySet<string> {
  const bits: Bit[] = [];
  let hasMask = true;
  while (bitset.next()) {
    if (bitset.type === ETHTOOL_A_BITSET_NOMASK) hasMask = false;
    if (bitset.type === ETHTOOL_A_BITSET_BITS)
      for (const list = bitset.nested(); list.next();) bits.push(decodeBit(list.nested()));
  }
  return new Set(bits.filter(({ isOn }) => isOn || !hasMask).map(({ name }) => name));
}

interface Bit {
  readonly name: string;
  readonly isOn: boolean;
}

function decodeBit(bit: AttributeDecoder): Bit {
  let [name, isOn] = ["", false];
  while (bit.next()) {
    if (bit.type === ETHTOOL_A_BITSET_BIT_NAME) name = bit.string();
    if (bit.type === ETHTOOL_A_BITSET_BIT_VALUE) isOn = true;
  }
  return { name, isOn };
}
