// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAIN_TABLE, WIREGUARD_DEVICE, type WantedPeer, type WantedRoute } from "../desired/wanted.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../net/wireguard-key.ts";
import { LinkTable } from "./link.ts";
import { PeerTable, planBehindPeer } from "./peer.ts";
import type { SeenPeer } from "./wireguard/peer-change.ts";

const [SMALL, OWN, LARGE, OTHER] = [1, 2, 3, 4].map((octet) =>
  wireguardPublicKeyFromBytes(new Uint8Array(32).fill(octet)),
) as [WireguardPublicKey, WireguardPublicKey, WireguardPublicKey, WireguardPublicKey];
const BLOCK = parseCidr("10.1.2.0/26");
const endpoint = { ip: parseIpv4("192.168.0.102"), port: 51820 };

function links(): LinkTable {
  const table = new LinkTable();
  const link = { index: 9, name: WIREGUARD_DEVICE, kind: "wireguard", mtu: 1440, up: true } as const;
  table.see({ ...link, running: true, flags: 0 });
  return table;
}

const wantedPeer = (publicKey: WireguardPublicKey): WantedPeer => ({
  ifName: WIREGUARD_DEVICE,
  publicKey,
  endpoint,
  allowedIps: [BLOCK],
});

function want(peers: PeerTable, publicKey: WireguardPublicKey, isWanted = true): void {
  peers.table.want(new Map([[publicKey, isWanted ? wantedPeer(publicKey) : undefined]]));
}

/** What is done with the peer then, or when it is looked at again. */
function planAt(peers: PeerTable, key: WireguardPublicKey, nowMs: number): string {
  const plan = peers.plan(key, { links: links(), own: OWN, nowMs });
  if (plan.kind === "later") return `later ${plan.atMs}`;
  if (plan.kind !== "change") return plan.kind;
  const [step] = plan.requests;
  peers.table.expect(key, plan.after);
  return step?.kind === "set" && step.begins ? "handshake" : "set";
}

const route: WantedRoute = {
  table: MAIN_TABLE,
  dst: BLOCK,
  metric: 0,
  target: { kind: "link", ifName: WIREGUARD_DEVICE },
  standing: "present",
};

/** When the route to what the peer has may be added: at once, or later. */
function routeAt(peer: PeerTable, nowMs: number, wanted = route): string {
  const plan = planBehindPeer({ kind: "create", requests: [] }, wanted, { peer, nowMs });
  return plan.kind === "later" ? `later ${plan.atMs}` : plan.kind;
}

describe("two nodes that meet", () => {
  for (const [key, beginAtMs, what] of [
    [SMALL, 1150, "begin a handshake from the larger key, once the other has heard too"],
    [LARGE, 1300, "begin it from the smaller key, in case there is none by then"],
  ] as const) {
    it(what, () => {
      const peers = new PeerTable();
      want(peers, key);
      const plans = [1000, 1000, beginAtMs - 1, beginAtMs, beginAtMs].map((nowMs) =>
        planAt(peers, key, nowMs),
      );
      assert.deepEqual(plans, ["set", `later ${beginAtMs}`, `later ${beginAtMs}`, "handshake", "done"]);
    });
  }

  it("are looked at again then, once the device has the peer", () => {
    const peers = new PeerTable();
    want(peers, SMALL);
    peers.table.takeDirty(1000);
    peers.plan(SMALL, { links: links(), own: OWN, nowMs: 1000 });
    peers.postpone();
    assert.equal(peers.table.nextRetryMs, Infinity);
    planAt(peers, SMALL, 1000);
    peers.postpone();
    assert.equal(peers.table.nextRetryMs, 1150);
  });

  it("send nothing before there was time for it", () => {
    const peers = new PeerTable();
    want(peers, LARGE);
    planAt(peers, LARGE, 1000);
    assert.equal(routeAt(peers, 1000), "later 1300");
    assert.equal(routeAt(peers, 1299), "later 1300");
    assert.equal(routeAt(peers, 1300), "create");
    const other = { kind: "link", ifName: parseIfName("eth0") } as const;
    assert.equal(routeAt(peers, 1000, { ...route, target: other }), "create");
    assert.equal(routeAt(peers, 1000, { ...route, dst: parseCidr("10.1.3.0/26") }), "create");
  });

  it("meet again after they parted", () => {
    const peers = new PeerTable();
    want(peers, SMALL);
    planAt(peers, SMALL, 1000);
    want(peers, SMALL, false);
    assert.equal(planAt(peers, SMALL, 5000), "remove");
    peers.table.expect(SMALL, undefined);
    want(peers, SMALL);
    assert.equal(planAt(peers, SMALL, 6000), "set");
    assert.equal(planAt(peers, SMALL, 6000), "later 6150");
  });
});

describe("a peer that is none that is met", () => {
  const seen = (publicKey: WireguardPublicKey): SeenPeer => ({ publicKey, endpoint, allowedIps: [BLOCK] });

  it("was there before the agent", () => {
    const peers = new PeerTable();
    peers.table.see(SMALL, { ...seen(SMALL), allowedIps: [] });
    want(peers, SMALL);
    assert.equal(planAt(peers, SMALL, 1000), "set");
    assert.equal(planAt(peers, SMALL, 1000), "done");
    assert.equal(routeAt(peers, 1000), "create");
  });

  it("only has another key now: the handshake is begun at once, for what it has to send waits for that", () => {
    for (const next of [LARGE, SMALL]) {
      const peers = new PeerTable();
      peers.table.see(OTHER, seen(OTHER));
      want(peers, next);
      assert.equal(planAt(peers, next, 1000), "handshake");
      assert.equal(routeAt(peers, 1000), "create");
    }
  });

  it("was in the device before that was made anew", () => {
    const peers = new PeerTable();
    want(peers, LARGE);
    planAt(peers, LARGE, 1000);
    peers.table.forget(() => true);
    // By whichever side it is: the other has heard of nothing.
    assert.equal(planAt(peers, LARGE, 2000), "handshake");
    assert.equal(routeAt(peers, 2000), "create");
  });
});

it("a peer waits for the device", () => {
  const peers = new PeerTable();
  want(peers, LARGE);
  const plan = peers.plan(LARGE, { links: new LinkTable(), own: OWN, nowMs: 0 });
  assert.equal(plan.kind, "blocked");
});
