// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { getFeatures, setFeatures, setTxChecksum } from "./ethtool.ts";
import { genlAttributes } from "./genl-message.ts";
import type { NetlinkMessage } from "./message.ts";
import { truncations, wire } from "./wire.ts";

const FAMILY = { id: 21, name: "ethtool", version: 1 };

function message(body: Uint8Array, type = FAMILY.id): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const FEATURES_WIRE = wire`
  0b 01 00 00  // ETHTOOL_MSG_FEATURES_GET_REPLY
  0c 00 01 80  // ETHTOOL_A_FEATURES_HEADER
  08 00 01 00
  05 00 00 00
  3c 00 02 80  // ETHTOOL_A_FEATURES_HW, with a mask
  08 00 02 00  // ETHTOOL_A_BITSET_SIZE
  02 00 00 00
  30 00 03 80  // ETHTOOL_A_BITSET_BITS
  18 00 01 80
  08 00 01 00  // ETHTOOL_A_BITSET_BIT_INDEX
  00 00 00 00
  07 00 02 00  // ETHTOOL_A_BITSET_BIT_NAME
  74 78 61 00  // "txa"
  04 00 03 00  // ETHTOOL_A_BITSET_BIT_VALUE
  14 00 01 80
  08 00 01 00
  01 00 00 00
  07 00 02 00
  74 78 62 00  // "txb"
  28 00 04 80  // ETHTOOL_A_FEATURES_ACTIVE
  04 00 01 00  // ETHTOOL_A_BITSET_NOMASK
  08 00 02 00
  02 00 00 00
  18 00 03 80
  14 00 01 80
  08 00 01 00
  01 00 00 00
  07 00 02 00
  74 78 62 00  // "txb"
`;

const FEATURES = getFeatures(FAMILY, { index: 5 });

test("features are those listed in a set without a mask, and those with a value in one with", () => {
  assert.deepEqual(FEATURES.decode(message(FEATURES_WIRE)), {
    active: new Set(["txb"]),
    changeable: new Set(["txa"]),
  });
  assert.equal(FEATURES.decode(message(FEATURES_WIRE, 22)), undefined);
});

test("features cut off inside an attribute are malformed", () => {
  for (const body of truncations(FEATURES_WIRE)) {
    if ([4, 16, 76].includes(body.length)) assert.doesNotThrow(() => FEATURES.decode(message(body)));
    else assert.throws(() => FEATURES.decode(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a change names the features, and gives a value to those that are to be on", () => {
  const { type, body, description } = setFeatures(FAMILY, { index: 5 }, { txa: true, txb: false });
  assert.deepEqual([type, description], [21, "change features of link 5"]);
  assert.deepEqual(
    body,
    wire`
      0c 01 00 00  // ETHTOOL_MSG_FEATURES_SET
      14 00 01 80  // ETHTOOL_A_FEATURES_HEADER
      08 00 01 00  // ETHTOOL_A_HEADER_DEV_INDEX
      05 00 00 00
      08 00 03 00  // ETHTOOL_A_HEADER_FLAGS
      02 00 00 00  // no reply
      24 00 03 80  // ETHTOOL_A_FEATURES_WANTED
      20 00 03 80  // ETHTOOL_A_BITSET_BITS
      10 00 01 80
      08 00 02 00  // ETHTOOL_A_BITSET_BIT_NAME
      74 78 61 00  // "txa"
      04 00 03 00  // ETHTOOL_A_BITSET_BIT_VALUE
      0c 00 01 80
      08 00 02 00
      74 78 62 00  // "txb"
    `,
  );
});

test("the transmit checksum offload is every way that a device may have", () => {
  const { body } = setTxChecksum(FAMILY, { name: parseIfName("vxlan.calico") }, false);
  const attributes = genlAttributes(message(body), FAMILY, 12);
  assert.ok(attributes !== undefined && attributes.next());
  const header = attributes.nested();
  assert.ok(header.next());
  assert.deepEqual([header.type, header.string()], [2, "vxlan.calico"]);
  const text = new TextDecoder().decode(body);
  assert.deepEqual(text.match(/tx-checksum-[a-z0-9-]+/g), [
    "tx-checksum-ipv4",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv6",
    "tx-checksum-fcoe-crc",
    "tx-checksum-sctp",
  ]);
});
