// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { AttributeDecoder } from "./attribute.ts";
import { createIpip, decodeIpip } from "./link-ipip.ts";
import { decodeLink } from "./link.ts";
import { truncations, wire } from "./wire.ts";

const TUNL0 = parseIfName("tunl0");

const SETTINGS_WIRE = wire`
  08 00 01 00  // IFLA_IPTUN_LINK
  03 00 00 00
  08 00 02 00  // IFLA_IPTUN_LOCAL
  c0 a8 00 65
  08 00 03 00  // IFLA_IPTUN_REMOTE
  c0 a8 00 66
  05 00 04 00  // IFLA_IPTUN_TTL
  40 00 00 00
  05 00 05 00  // IFLA_IPTUN_TOS
  01 00 00 00
  05 00 09 00  // IFLA_IPTUN_PROTO
  04 00 00 00
  05 00 0a 00  // IFLA_IPTUN_PMTUDISC
  01 00 00 00
  08 00 14 00  // IFLA_IPTUN_FWMARK
  00 00 00 00
`;

test("an IPIP device has its settings in what the kernel tells of it", () => {
  assert.deepEqual(decodeIpip(new AttributeDecoder(SETTINGS_WIRE)), {
    kind: "ipip",
    localIp: "192.168.0.101",
    remoteIp: "192.168.0.102",
    linkIndex: 3,
    ttl: 64,
    tos: 1,
    pathMtuDiscovery: true,
    protocol: 4,
    external: false,
  });
});

test("the device without ends has no addresses, which the kernel tells as zeros", () => {
  const data = wire`
    08 00 01 00 00 00 00 00
    08 00 02 00 00 00 00 00
    08 00 03 00 00 00 00 00
    05 00 04 00 00 00 00 00
    05 00 09 00 04 00 00 00
    04 00 13 00  // IFLA_IPTUN_COLLECT_METADATA
  `;
  assert.deepEqual(decodeIpip(new AttributeDecoder(data)), {
    kind: "ipip",
    ttl: 0,
    tos: 0,
    pathMtuDiscovery: false,
    protocol: 4,
    external: true,
  });
});

test("settings cut off inside an attribute are malformed", () => {
  const wholeAt = [0, 8, 16, 24, 29, 30, 31, 32, 37, 38, 39, 40, 45, 46, 47, 48, 53, 54, 55, 56];
  for (const bytes of truncations(SETTINGS_WIRE)) {
    const decode = (): unknown => decodeIpip(new AttributeDecoder(bytes));
    if (wholeAt.includes(bytes.length)) assert.doesNotThrow(decode, `${bytes.length} bytes`);
    else assert.throws(decode, RangeError, `${bytes.length} bytes`);
  }
});

test("an IPIP device to be made is described as the kernel wants it", () => {
  const { body, description } = createIpip({
    name: TUNL0,
    mtu: 1480,
    localIp: parseIpv4("192.168.0.101"),
    ttl: 64,
    pathMtuDiscovery: true,
  });
  assert.equal(description, 'create ipip "tunl0"');
  assert.deepEqual(
    body,
    wire`
      00 00 00 00
      00 00 00 00
      00 00 00 00
      00 00 00 00
      0a 00 03 00  // IFLA_IFNAME
      74 75 6e 6c
      30 00 00 00  // "tunl0"
      08 00 04 00  // IFLA_MTU
      c8 05 00 00
      2c 00 12 80  // IFLA_LINKINFO
      09 00 01 00
      69 70 69 70
      00 00 00 00  // "ipip"
      1c 00 02 80  // IFLA_INFO_DATA
      08 00 02 00  // IFLA_IPTUN_LOCAL
      c0 a8 00 65
      05 00 04 00  // IFLA_IPTUN_TTL
      40 00 00 00
      05 00 0a 00  // IFLA_IPTUN_PMTUDISC
      01 00 00 00
    `,
  );
});

test("what an IPIP device is made with is what is then seen of it", () => {
  const settings = {
    ...{ localIp: parseIpv4("10.0.0.1"), remoteIp: parseIpv4("255.0.0.2"), linkIndex: 7 },
    ...{ ttl: 255, tos: 1, pathMtuDiscovery: true },
  };
  const { type, flags, body } = createIpip({ name: TUNL0, ...settings });
  const link = decodeLink({ type, flags, sequence: 0, portId: 0, body });
  assert.equal(link?.kind, "ipip");
  assert.deepEqual(link.tunnel, { kind: "ipip", protocol: 0, external: false, ...settings });
});
