// SPDX-License-Identifier: Apache-2.0
import type { Cidr } from "../../net/cidr.ts";
import { type WireguardPublicKey, parseWireguardPublicKey } from "../../net/wireguard-key.ts";
import type { PeerChange, PeerSettings } from "../netlink/wireguard-change.ts";
import type { WireguardPeer } from "../netlink/wireguard-device.ts";

export type SeenPeer = Pick<WireguardPeer, "publicKey" | "allowedIps"> & {
  readonly endpoint: WireguardPeer["endpoint"] | undefined;
};

/** What is to become of one peer. */
export type PeerStep =
  | {
      readonly kind: "set";
      readonly description: string;
      readonly seen: SeenPeer | undefined;
      readonly wanted: SeenPeer;
      /** Whether the device is to begin a handshake with it at once. */
      readonly begins: boolean;
    }
  | { readonly kind: "remove"; readonly description: string; readonly publicKey: WireguardPublicKey };

/** A point of small order: nobody can have a private key for it, and no handshake with it comes about. */
const NOBODY = parseWireguardPublicKey("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");

/** What a peer is told for a moment, in seconds. */
const KEEPALIVE_SEC = 25;

/**
 * Has a device begin a handshake with a peer at once, if it has no session with it (`set_peer()`, drivers/net/wireguard/netlink.c), and not with the
 * first packet that is for the peer.
 */
export function startHandshake(publicKey: WireguardPublicKey): readonly PeerSettings[] {
  return [KEEPALIVE_SEC, 0].map((keepaliveSec) => ({ kind: "set", publicKey, keepaliveSec }));
}

/**
 * One change of a device for all steps, in which packets to an address that moves from one peer to another meet one of the two all the time.
 * To take an address from a peer, others would be taken from it for an instant (before Linux 6.16): so it goes to a peer that is nobody,
 * and away with that.
 */
export function peerChange(steps: readonly PeerStep[]): readonly PeerChange[] {
  const sets = steps.filter((step) => step.kind === "set");
  const added = new Set(sets.flatMap(({ seen, wanted }) => missingIn(seen?.allowedIps, wanted.allowedIps)));
  const dropped = sets
    .flatMap(({ seen, wanted }) => missingIn(wanted.allowedIps, seen?.allowedIps))
    .filter((cidr) => !added.has(cidr));
  const removed = steps.filter((step) => step.kind === "remove");
  return [
    ...(dropped.length === 0 ? [] : disown(dropped)),
    ...sets.flatMap(settingsOf),
    ...removed.map(({ publicKey }) => ({ kind: "remove", publicKey }) as const),
  ];
}

function disown(allowedIps: readonly Cidr[]): readonly PeerChange[] {
  return [
    { kind: "set", publicKey: NOBODY, allowedIps },
    { kind: "remove", publicKey: NOBODY },
  ];
}

function settingsOf({
  seen,
  wanted: { publicKey, endpoint, allowedIps },
  begins,
}: PeerStep & { readonly kind: "set" }): readonly PeerSettings[] {
  const settings: PeerSettings = {
    kind: "set",
    publicKey,
    ...(endpoint && { endpoint }),
    allowedIps: missingIn(seen?.allowedIps, allowedIps),
  };
  return begins ? [settings, ...startHandshake(publicKey)] : [settings];
}

/** The elements of `all` that are not in `some`. */
function missingIn(some: readonly Cidr[] = [], all: readonly Cidr[] = []): readonly Cidr[] {
  const known = new Set(some);
  return all.filter((cidr) => !known.has(cidr));
}
