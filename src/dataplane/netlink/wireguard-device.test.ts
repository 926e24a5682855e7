// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { parseIp } from "../../net/ip.ts";
import { wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import { AttributeEncoder } from "./attribute.ts";
import { genlMessage } from "./genl-message.ts";
import type { NetlinkMessage } from "./message.ts";
import { type WireguardDevice, getWireguard, joinWireguard } from "./wireguard-device.ts";
import { decodeEndpoint, encodeEndpoint } from "./wireguard-message.ts";
import { truncations, wire } from "./wire.ts";

const DUMP = getWireguard({ id: 30, name: "wireguard", version: 1 }, { index: 5 });

function message(body: Uint8Array, type = 30): NetlinkMessage {
  return { type, flags: 2, sequence: 0, portId: 0, body };
}

const KEY_A = wireguardPublicKeyFromBytes(new Uint8Array(32).fill(0xaa));
const KEY_B = wireguardPublicKeyFromBytes(new Uint8Array(32).fill(0xbb));

const DEVICE_WIRE = wire`
  00 01 00 00  // WG_CMD_GET_DEVICE
  06 00 06 00  // WGDEVICE_A_LISTEN_PORT
  6c ca 00 00
  08 00 07 00  // WGDEVICE_A_FWMARK
  00 00 10 00
  08 00 01 00  // WGDEVICE_A_IFINDEX
  05 00 00 00
  08 00 02 00  // WGDEVICE_A_IFNAME
  77 67 30 00
  24 00 03 00  // WGDEVICE_A_PRIVATE_KEY
  01 02 03 04
  01 02 03 04
  01 02 03 04
  01 02 03 04
  01 02 03 04
  01 02 03 04
  01 02 03 04
  01 02 03 04
  24 00 04 00  // WGDEVICE_A_PUBLIC_KEY
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  aa aa aa aa
  a8 00 08 80  // WGDEVICE_A_PEERS
  a4 00 00 80
  24 00 01 00  // WGPEER_A_PUBLIC_KEY
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  bb bb bb bb
  20 00 04 00  // WGPEER_A_ENDPOINT
  0a 00 ca 6c  // AF_INET6, port 51820
  00 00 00 00
  fd 00 00 00
  00 00 00 00
  00 00 00 00
  00 00 00 02
  00 00 00 00
  06 00 05 00  // WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
  19 00 00 00
  14 00 06 00  // WGPEER_A_LAST_HANDSHAKE_TIME
  00 f1 53 65
  00 00 00 00  // 1700000000 s
  80 b2 e6 0e
  00 00 00 00  // 250000000 ns
  0c 00 07 00  // WGPEER_A_RX_BYTES
  94 00 00 00
  01 00 00 00
  0c 00 08 00  // WGPEER_A_TX_BYTES
  5c 00 00 00
  00 00 00 00
  08 00 0a 00  // WGPEER_A_PROTOCOL_VERSION
  01 00 00 00
  20 00 09 80  // WGPEER_A_ALLOWEDIPS
  1c 00 00 80
  05 00 03 00  // WGALLOWEDIP_A_CIDR_MASK
  1a 00 00 00
  06 00 01 00  // WGALLOWEDIP_A_FAMILY
  02 00 00 00
  08 00 02 00  // WGALLOWEDIP_A_IPADDR
  0a 01 66 00
`;
const DEVICE: WireguardDevice = {
  ifIndex: 5,
  publicKey: KEY_A,
  listenPort: 51820,
  fwmark: 0x100000,
  peers: [
    {
      publicKey: KEY_B,
      endpoint: { ip: parseIp("fd00::2"), port: 51820 },
      allowedIps: [parseCidr("10.1.102.0/26")],
      keepaliveSec: 25,
      lastHandshakeMs: 1_700_000_000_250,
      rxBytes: 2 ** 32 + 148,
      txBytes: 92,
    },
  ],
};

test("a device has its settings and its peers, and its private key is not read", () => {
  assert.deepEqual(DUMP.decode(message(DEVICE_WIRE)), DEVICE);
  assert.equal(DUMP.decode(message(DEVICE_WIRE, 31)), undefined);
});

test("a device is asked for by index or by name, as a dump", () => {
  assert.deepEqual(DUMP.request.body, wire`00 01 00 00 08 00 01 00 05 00 00 00`);
  assert.deepEqual([DUMP.request.flags, DUMP.request.description], [0x300, "get WireGuard device 5"]);
  const named = getWireguard({ id: 30, name: "wireguard", version: 1 }, { name: parseIfName("wg0") });
  assert.deepEqual(named.request.body, wire`00 01 00 00 08 00 02 00 77 67 30 00`);
});

test("a device cut off inside an attribute is malformed", () => {
  // After an attribute of the device, or its padding.
  const wholeAt = [4, 10, 11, 12, 20, 28, 36, 72, 108];
  for (const body of truncations(DEVICE_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => DUMP.decode(message(body)));
    else assert.throws(() => DUMP.decode(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a device and a peer that are new have neither key, endpoint, addresses nor handshake", () => {
  const body = genlMessage(0, 1)
    .nested(8, (peers) =>
      peers.nested(0, (peer) => peer.bytes(1, new Uint8Array(32).fill(0xbb)).bytes(6, new Uint8Array(16))),
    )
    .finish();
  assert.deepEqual(DUMP.decode(message(body)), {
    ...{ ifIndex: 0, listenPort: 0, fwmark: 0 },
    peers: [{ publicKey: KEY_B, allowedIps: [], keepaliveSec: 0, rxBytes: 0, txBytes: 0 }],
  });
});

test("addresses of families that are to come are left out", () => {
  const body = genlMessage(0, 1)
    .nested(8, (peers) =>
      peers.nested(0, (peer) =>
        peer
          .bytes(1, new Uint8Array(32).fill(0xbb))
          .bytes(4, Uint8Array.of(99, 0, 0, 0))
          .nested(9, (list) => list.nested(0, (one) => one.u16(1, 99).bytes(2, new Uint8Array(9)).u8(3, 1))),
      ),
    )
    .finish();
  const [peer] = DUMP.decode(message(body))?.peers ?? [];
  assert.deepEqual([peer?.publicKey, peer?.endpoint, peer?.allowedIps], [KEY_B, undefined, []]);
});

test("parts are joined, and a peer that is cut in two is one", () => {
  const [whole] = DEVICE.peers;
  assert.ok(whole);
  const rest = {
    publicKey: KEY_B,
    allowedIps: [parseCidr("10.1.103.0/26")],
    keepaliveSec: 0,
    rxBytes: 0,
    txBytes: 0,
  };
  const other = { ...rest, publicKey: KEY_A };
  const empty = { ifIndex: 0, listenPort: 0, fwmark: 0 };
  assert.deepEqual(joinWireguard([DEVICE, { ...empty, peers: [rest, other] }]), {
    ...DEVICE,
    peers: [{ ...whole, allowedIps: [...whole.allowedIps, ...rest.allowedIps] }, other],
  });
  assert.equal(joinWireguard([]), undefined);
});

test("endpoints of both families survive encoding and decoding, and are malformed when cut off", () => {
  for (const ip of ["192.168.0.102", "fd00::2"].map(parseIp)) {
    const endpoint = { ip, port: 65535 };
    const bytes = encodeEndpoint(endpoint);
    assert.deepEqual(decodeEndpoint(bytes), endpoint);
    const needed = bytes.length === 16 ? 8 : 24;
    for (const short of truncations(bytes.subarray(0, needed)))
      assert.throws(() => decodeEndpoint(short), RangeError);
  }
});

test("a peer without a key is none", () => {
  const body = genlMessage(0, 1).raw(
    new AttributeEncoder().nested(8, (peers) => peers.nested(0, (peer) => peer.u16(5, 25))).finish(),
  );
  assert.deepEqual(DUMP.decode(message(body.finish()))?.peers, []);
});
