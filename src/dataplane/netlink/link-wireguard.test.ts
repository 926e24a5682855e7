// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { createWireguard } from "./link-wireguard.ts";
import { decodeLink } from "./link.ts";
import { wire } from "./wire.ts";

test("a WireGuard device to be made is a kind without settings", () => {
  const { type, flags, body, description } = createWireguard({ name: parseIfName("wg0"), mtu: 1440 });
  assert.equal(description, 'create wireguard "wg0"');
  assert.deepEqual(
    body,
    wire`
      00 00 00 00
      00 00 00 00
      00 00 00 00
      00 00 00 00
      08 00 03 00  // IFLA_IFNAME
      77 67 30 00  // "wg0"
      08 00 04 00  // IFLA_MTU
      a0 05 00 00
      14 00 12 80  // IFLA_LINKINFO
      0e 00 01 00
      77 69 72 65
      67 75 61 72
      64 00 00 00  // "wireguard"
    `,
  );
  const link = decodeLink({ type, flags, sequence: 0, portId: 0, body });
  assert.deepEqual([link?.kind, link?.mtu, link?.tunnel], ["wireguard", 1440, undefined]);
});
