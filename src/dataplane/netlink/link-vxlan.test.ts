// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { parseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import { AttributeDecoder } from "./attribute.ts";
import { createVxlan, decodeVxlan } from "./link-vxlan.ts";
import { decodeLink } from "./link.ts";
import { truncations, wire } from "./wire.ts";

const NAME = parseIfName("vxlan.calico");

/** As Linux 6.18 tells of one. */
const SETTINGS_WIRE = wire`
  08 00 01 00  // IFLA_VXLAN_ID
  00 10 00 00
  08 00 03 00  // IFLA_VXLAN_LINK
  03 00 00 00
  08 00 04 00  // IFLA_VXLAN_LOCAL
  c0 a8 00 65
  05 00 05 00  // IFLA_VXLAN_TTL
  09 00 00 00
  05 00 1c 00  // IFLA_VXLAN_TTL_INHERIT
  00 00 00 00
  05 00 06 00  // IFLA_VXLAN_TOS
  01 00 00 00
  05 00 1d 00  // IFLA_VXLAN_DF
  02 00 00 00
  08 00 1a 00  // IFLA_VXLAN_LABEL
  00 00 00 00
  05 00 07 00  // IFLA_VXLAN_LEARNING
  00 00 00 00
  05 00 19 00  // IFLA_VXLAN_COLLECT_METADATA
  00 00 00 00
  06 00 0f 00  // IFLA_VXLAN_PORT
  12 b5 00 00
  05 00 12 00  // IFLA_VXLAN_UDP_CSUM
  01 00 00 00
`;
const SETTINGS = {
  kind: "vxlan",
  vni: 4096,
  port: 4789,
  learning: false,
  localIp: "192.168.0.101",
  linkIndex: 3,
  ttl: 9,
  tos: 1,
  dontFragment: "inherit",
  udpChecksum: true,
  omitsChecksum6: false,
  takesNoChecksum6: false,
  groupPolicy: false,
  external: false,
};

test("a VXLAN device has its settings in what the kernel tells of it", () => {
  assert.deepEqual(decodeVxlan(new AttributeDecoder(SETTINGS_WIRE)), SETTINGS);
});

test("other ends, IPv6 addresses and the flavours that differ on the wire are seen", () => {
  const data = wire`
    08 00 02 00  // IFLA_VXLAN_GROUP
    c0 a8 00 66
    14 00 11 00  // IFLA_VXLAN_LOCAL6
    fd 00 00 00
    00 00 00 00
    00 00 00 00
    00 00 00 01
    05 00 13 00  // IFLA_VXLAN_UDP_ZERO_CSUM6_TX
    01 00 00 00
    05 00 14 00  // IFLA_VXLAN_UDP_ZERO_CSUM6_RX
    01 00 00 00
    04 00 17 00  // IFLA_VXLAN_GBP
    05 00 19 00  // IFLA_VXLAN_COLLECT_METADATA
    01 00 00 00
    05 00 07 00  // IFLA_VXLAN_LEARNING
    01 00 00 00
    05 00 1d 00  // IFLA_VXLAN_DF, one that is to come
    07 00 00 00
  `;
  assert.deepEqual(decodeVxlan(new AttributeDecoder(data)), {
    ...{ kind: "vxlan", vni: 0, port: 0, ttl: 0, tos: 0, udpChecksum: false },
    remoteIp: "192.168.0.102",
    localIp: "fd00::1",
    groupPolicy: true,
    external: true,
    learning: true,
    dontFragment: "unset",
    omitsChecksum6: true,
    takesNoChecksum6: true,
  });
});

test("settings cut off inside an attribute are malformed", () => {
  // After an attribute, and where only its padding is cut off.
  const wholeAt = [
    ...[0, 8, 16, 24, 29, 30, 31, 32, 37, 38, 39, 40, 45, 46, 47, 48, 53, 54, 55, 56, 64, 69, 70, 71, 72],
    ...[77, 78, 79, 80, 86, 87, 88, 93, 94, 95],
  ];
  for (const bytes of truncations(SETTINGS_WIRE)) {
    const decode = (): unknown => decodeVxlan(new AttributeDecoder(bytes));
    if (wholeAt.includes(bytes.length)) assert.doesNotThrow(decode, `${bytes.length} bytes`);
    else assert.throws(decode, RangeError, `${bytes.length} bytes`);
  }
});

test("a VXLAN device to be made is described as the kernel wants it", () => {
  const { body, description } = createVxlan({
    name: NAME,
    mac: parseMac("66:01:02:03:04:05"),
    mtu: 1450,
    up: true,
    vni: 4096,
    port: 4789,
    learning: false,
    localIp: parseIp("192.168.0.101"),
    linkIndex: 3,
    ttl: 9,
    tos: 1,
    dontFragment: "inherit",
    udpChecksum: false,
  });
  assert.equal(description, 'create vxlan "vxlan.calico" of VNI 4096 on UDP port 4789');
  assert.deepEqual(
    body,
    wire`
      00 00 00 00
      00 00 00 00
      01 00 00 00  // flags: up
      01 00 00 00  // which of them
      11 00 03 00  // IFLA_IFNAME
      76 78 6c 61
      6e 2e 63 61
      6c 69 63 6f
      00 00 00 00  // "vxlan.calico"
      0a 00 01 00  // IFLA_ADDRESS
      66 01 02 03
      04 05 00 00
      08 00 04 00  // IFLA_MTU
      aa 05 00 00
      5c 00 12 80  // IFLA_LINKINFO
      0a 00 01 00
      76 78 6c 61
      6e 00 00 00  // "vxlan"
      4c 00 02 80  // IFLA_INFO_DATA
      08 00 01 00  // IFLA_VXLAN_ID
      00 10 00 00
      08 00 03 00  // IFLA_VXLAN_LINK
      03 00 00 00
      08 00 04 00  // IFLA_VXLAN_LOCAL
      c0 a8 00 65
      05 00 05 00  // IFLA_VXLAN_TTL
      09 00 00 00
      05 00 06 00  // IFLA_VXLAN_TOS
      01 00 00 00
      05 00 07 00  // IFLA_VXLAN_LEARNING
      00 00 00 00
      06 00 0f 00  // IFLA_VXLAN_PORT
      12 b5 00 00
      05 00 12 00  // IFLA_VXLAN_UDP_CSUM
      00 00 00 00
      05 00 1d 00  // IFLA_VXLAN_DF
      02 00 00 00
    `,
  );
});

test("what a VXLAN device is made with is what is then seen of it", () => {
  const localIp = parseIp("fd00::1");
  const made = {
    ...{ name: NAME, vni: 0xfffffe, port: 65535, learning: true, udpChecksum: true, localIp },
    takesNoChecksum6: true,
  };
  const { type, flags, body } = createVxlan(made);
  const link = decodeLink({ type, flags, sequence: 0, portId: 0, body });
  assert.equal(link?.kind, "vxlan");
  const { vni, port, learning, udpChecksum } = made;
  assert.deepEqual(link.tunnel, {
    ...{ kind: "vxlan", vni, port, learning, udpChecksum, localIp },
    ...{ omitsChecksum6: false, takesNoChecksum6: true },
    ...{ ttl: 0, tos: 0, dontFragment: "unset", groupPolicy: false, external: false },
  });
});
