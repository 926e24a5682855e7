// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { parseMac } from "../../net/mac.ts";
import { createVeth } from "./link-veth.ts";
import { wire } from "./wire.ts";

test("a veth's other end is described inside it", () => {
  const { body, description } = createVeth({
    name: parseIfName("a"),
    up: true,
    peer: { name: parseIfName("b"), mac: parseMac("02:00:00:00:00:01"), mtu: 1400, netnsFd: 9 },
  });
  assert.equal(description, 'create veth "a" with peer "b"');
  assert.deepEqual(
    body,
    wire`
      00 00 00 00
      00 00 00 00
      01 00 00 00  // flags
      01 00 00 00  // which of them
      06 00 03 00
      61 00 00 00  // "a"
      4c 00 12 80  // IFLA_LINKINFO
      09 00 01 00
      76 65 74 68
      00 00 00 00  // "veth"
      3c 00 02 80  // IFLA_INFO_DATA
      38 00 01 80  // VETH_INFO_PEER
      00 00 00 00
      00 00 00 00
      00 00 00 00
      00 00 00 00
      06 00 03 00
      62 00 00 00  // "b"
      0a 00 01 00  // IFLA_ADDRESS
      02 00 00 00
      00 01 00 00
      08 00 04 00  // IFLA_MTU
      78 05 00 00
      08 00 1c 00  // IFLA_NET_NS_FD
      09 00 00 00
    `,
  );
});
