// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cidr, parseCidr } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import { parseWireguardPublicKey } from "../../net/wireguard-key.ts";
import { type PeerStep, type SeenPeer, peerChange } from "./peer-change.ts";

const ONE = parseWireguardPublicKey("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
const TWO = parseWireguardPublicKey("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
const NOBODY = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const [A, B, C] = ["10.1.1.0/26", "10.1.2.0/26", "10.1.3.0/26"].map(parseCidr) as [Cidr, Cidr, Cidr];
const endpoint = { ip: parseIp("192.168.0.102"), port: 51820 };

const peer = (publicKey: typeof ONE, ...allowedIps: readonly Cidr[]): SeenPeer => ({
  publicKey,
  endpoint,
  allowedIps,
});
const set = (seen: SeenPeer | undefined, wanted: SeenPeer): PeerStep => ({
  kind: "set",
  description: "",
  seen,
  wanted,
  begins: seen === undefined,
});

test("a new peer is kept alive for a moment, and has all its addresses", () => {
  assert.deepEqual(peerChange([set(undefined, peer(ONE, A, B))]), [
    { kind: "set", publicKey: ONE, endpoint, allowedIps: [A, B] },
    { kind: "set", publicKey: ONE, keepaliveSec: 25 },
    { kind: "set", publicKey: ONE, keepaliveSec: 0 },
  ]);
});

test("a peer that is known gets what is new", () => {
  assert.deepEqual(peerChange([set(peer(ONE, A), peer(ONE, A, B))]), [
    { kind: "set", publicKey: ONE, endpoint, allowedIps: [B] },
  ]);
});

test("an address that is nobody's any more goes with a peer that is nobody", () => {
  assert.deepEqual(peerChange([set(peer(ONE, A, B), peer(ONE, A))]), [
    { kind: "set", publicKey: NOBODY, allowedIps: [B] },
    { kind: "remove", publicKey: NOBODY },
    { kind: "set", publicKey: ONE, endpoint, allowedIps: [] },
  ]);
});

test("an address that moves goes from the one to the other at once", () => {
  const steps = [set(peer(ONE, A, B, C), peer(ONE, A)), set(peer(TWO), peer(TWO, B))];
  assert.deepEqual(peerChange(steps), [
    { kind: "set", publicKey: NOBODY, allowedIps: [C] },
    { kind: "remove", publicKey: NOBODY },
    { kind: "set", publicKey: ONE, endpoint, allowedIps: [] },
    { kind: "set", publicKey: TWO, endpoint, allowedIps: [B] },
  ]);
});

test("a peer that goes is removed last", () => {
  const steps: readonly PeerStep[] = [
    { kind: "remove", description: "", publicKey: ONE },
    set(peer(TWO), peer(TWO, A)),
  ];
  assert.deepEqual(peerChange(steps), [
    { kind: "set", publicKey: TWO, endpoint, allowedIps: [A] },
    { kind: "remove", publicKey: ONE },
  ]);
});
