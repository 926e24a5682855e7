// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import type { WireguardPeer } from "../../dataplane/netlink/wireguard-device.ts";
import { parseIp } from "../../net/ip.ts";
import { wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import { KERNEL } from "../fixtures.ts";
import type { KernelSeen } from "../observation.ts";
import { judgeHandshakes } from "./wireguard.ts";

const PEER: WireguardPeer = {
  publicKey: wireguardPublicKeyFromBytes(new Uint8Array(32).fill(7)),
  endpoint: { ip: parseIp("192.168.0.102"), port: 51820 },
  allowedIps: [],
  keepaliveSec: 0,
  rxBytes: 0,
  txBytes: 0,
};

function judge(wireguardPeers: KernelSeen["wireguardPeers"]): readonly string[] {
  return judgeHandshakes({ ...KERNEL, wireguardPeers }).map(
    ({ result, name, lookedAt, reason }) => `${result} ${name} ${lookedAt}: ${reason}`,
  );
}

const peers = (...changes: readonly Partial<WireguardPeer>[]): readonly string[] =>
  judge({ kind: "known", value: changes.map((change) => ({ ...PEER, ...change })) });

it("peers are well that have answered, that nothing was sent to, or that may be about to answer", () => {
  assert.deepEqual(peers({ lastHandshakeMs: 1, txBytes: 5000 }, {}, { txBytes: 148 }), [
    "ok WireGuard handshake wireguard.cali: 1 of 3 peers have answered, and nothing waits for the others",
  ]);
});

it("a peer that never answered is named by its address, with what is known and no more", () => {
  const name = "warning WireGuard handshake 192.168.0.102: there was none since the peer is known";
  assert.deepEqual(peers({ txBytes: 296 }, { lastHandshakeMs: 1 }), [
    `${name}, though 296 octets were sent for it: nothing has come from there`,
  ]);
  assert.deepEqual(peers({ txBytes: 888, rxBytes: 92 }), [
    `${name}, though 888 octets were sent for it: 92 octets have come from there`,
  ]);
});

it("a device may be none, or not answer", () => {
  assert.deepEqual(judge(undefined), []);
  assert.deepEqual(judge({ kind: "unknown", reason: "refused" }), [
    "skipped WireGuard handshake wireguard.cali: refused",
  ]);
});
