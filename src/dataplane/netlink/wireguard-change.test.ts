// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressAt, hostCidr, parseCidr } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { parseIp } from "../../net/ip.ts";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import type { NetlinkMessage } from "./message.ts";
import { type PeerSettings, changeWireguard } from "./wireguard-change.ts";
import { getWireguard, joinWireguard } from "./wireguard-device.ts";
import { wire } from "./wire.ts";

const FAMILY = { id: 30, name: "wireguard", version: 1 };
const LINK = { index: 5 };

function key(octet: number): WireguardPublicKey {
  return wireguardPublicKeyFromBytes(new Uint8Array(32).fill(octet));
}

function bodyOf(...args: Parameters<typeof changeWireguard>): Uint8Array {
  const [request, ...others] = changeWireguard(...args);
  assert.ok(request !== undefined && others.length === 0);
  return request.body;
}

test("a device's own settings are laid out as attributes, and its key is in no text", () => {
  const change = { privateKey: new Uint8Array(32).fill(0xaa), listenPort: 51820, fwmark: 0x100000 };
  const [request] = changeWireguard(FAMILY, LINK, { ...change, replacePeers: true });
  assert.deepEqual(
    request?.body,
    wire`
      01 01 00 00  // WG_CMD_SET_DEVICE
      08 00 01 00  // WGDEVICE_A_IFINDEX
      05 00 00 00
      08 00 05 00  // WGDEVICE_A_FLAGS
      01 00 00 00  // WGDEVICE_F_REPLACE_PEERS
      24 00 03 00  // WGDEVICE_A_PRIVATE_KEY
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      aa aa aa aa
      06 00 06 00  // WGDEVICE_A_LISTEN_PORT
      6c ca 00 00
      08 00 07 00  // WGDEVICE_A_FWMARK
      00 00 10 00
    `,
  );
  assert.deepEqual([request.type, request.description], [30, "change WireGuard device 5"]);
});

test("a peer is laid out as attributes", () => {
  const peer: PeerSettings = {
    kind: "set",
    publicKey: key(0xbb),
    endpoint: { ip: parseIp("192.168.0.102"), port: 51820 },
    keepaliveSec: 25,
    allowedIps: [parseCidr("10.1.102.0/26"), parseCidr("fd00::/64")],
    replaceAllowedIps: true,
  };
  assert.deepEqual(
    bodyOf(FAMILY, { name: parseIfName("wg0") }, { peers: [peer] }),
    wire`
      01 01 00 00
      08 00 02 00  // WGDEVICE_A_IFNAME
      77 67 30 00  // "wg0"
      98 00 08 80  // WGDEVICE_A_PEERS
      94 00 00 80
      24 00 01 00  // WGPEER_A_PUBLIC_KEY
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      bb bb bb bb
      08 00 03 00  // WGPEER_A_FLAGS
      02 00 00 00  // WGPEER_F_REPLACE_ALLOWEDIPS
      14 00 04 00  // WGPEER_A_ENDPOINT
      02 00 ca 6c  // AF_INET, port 51820 with the high byte first
      c0 a8 00 66
      00 00 00 00
      00 00 00 00
      06 00 05 00  // WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL
      19 00 00 00
      48 00 09 80  // WGPEER_A_ALLOWEDIPS
      1c 00 00 80
      06 00 01 00  // WGALLOWEDIP_A_FAMILY
      02 00 00 00
      08 00 02 00  // WGALLOWEDIP_A_IPADDR
      0a 01 66 00
      05 00 03 00  // WGALLOWEDIP_A_CIDR_MASK
      1a 00 00 00
      28 00 00 80
      06 00 01 00
      0a 00 00 00
      14 00 02 00
      fd 00 00 00
      00 00 00 00
      00 00 00 00
      00 00 00 00
      05 00 03 00
      40 00 00 00
    `,
  );
});

test("a peer to be removed is named, and flagged", () => {
  const body = bodyOf(FAMILY, LINK, { peers: [{ kind: "remove", publicKey: key(0xcc) }] });
  assert.deepEqual(body.subarray(12, 24), wire`34 00 08 80 30 00 00 80 24 00 01 00`);
  assert.deepEqual(body.subarray(56), wire`08 00 03 00 01 00 00 00`);
});

test("a change of nothing still names the device", () => {
  assert.deepEqual(bodyOf(FAMILY, LINK, {}), wire`01 01 00 00 08 00 01 00 05 00 00 00`);
});

test("a private key of another length is refused, and not repeated", () => {
  for (const length of [0, 31, 33])
    assert.throws(
      () => changeWireguard(FAMILY, LINK, { privateKey: new Uint8Array(length).fill(7) }),
      new RangeError(`Cannot encode private key: want 32 octets, have ${length}`),
    );
});

test("as many peers and addresses as there may be go into as many requests as they need", () => {
  const pool = parseCidr("10.0.0.0/8");
  const peers = Array.from({ length: 250 }, (_, index): PeerSettings => {
    const count = index === 100 ? 1234 : 3;
    return {
      kind: "set",
      publicKey: key(index),
      endpoint: { ip: parseIp("fd00::1"), port: index + 1 },
      keepaliveSec: index,
      allowedIps: Array.from({ length: count }, (_, ip) => hostCidr(addressAt(pool, index * 2000 + ip))),
      replaceAllowedIps: true,
    };
  });
  const requests = changeWireguard(FAMILY, LINK, { listenPort: 7, replacePeers: true, peers });
  assert.ok(requests.length > 2);
  for (const { body } of requests) assert.ok(body.length < 24 * 1024);
  const replacing = requests.filter(({ body }) => body[12] === 8 && body[14] === 5);
  assert.deepEqual(replacing, requests.slice(0, 1), "only the first request replaces the peers");
  // What is asked for and what is told have the same shape, but for the command.
  const parts = requests.map(({ body }) => {
    const copy = body.slice();
    copy[0] = 0;
    const message: NetlinkMessage = { type: 30, flags: 0, sequence: 0, portId: 0, body: copy };
    const part = getWireguard(FAMILY, LINK).decode(message);
    assert.ok(part);
    return part;
  });
  const expected = peers.map(({ publicKey, endpoint, keepaliveSec, allowedIps }) => ({
    ...{ publicKey, endpoint, keepaliveSec, allowedIps, rxBytes: 0, txBytes: 0 },
  }));
  assert.deepEqual(joinWireguard(parts), { ifIndex: 5, listenPort: 7, fwmark: 0, peers: expected });
});
