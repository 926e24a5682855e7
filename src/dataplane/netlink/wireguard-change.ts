// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, prefixLengthOf } from "../../net/cidr.ts";
import { ipToBytes } from "../../net/ip.ts";
import { type WireguardPublicKey, wireguardPublicKeyToBytes } from "../../net/wireguard-key.ts";
import { AttributeEncoder } from "./attribute.ts";
import { addressFamilyOf } from "./family.ts";
import { type GenlFamily, genlMessage } from "./genl-message.ts";
import { type LinkRef, quoteRef } from "./link.ts";
import type { NetlinkRequest } from "./request.ts";
import {
  WGALLOWEDIP_A_CIDR_MASK,
  WGALLOWEDIP_A_FAMILY,
  WGALLOWEDIP_A_IPADDR,
  WGDEVICE_A_FLAGS,
  WGDEVICE_A_FWMARK,
  WGDEVICE_A_IFINDEX,
  WGDEVICE_A_IFNAME,
  WGDEVICE_A_LISTEN_PORT,
  WGDEVICE_A_PEERS,
  WGDEVICE_A_PRIVATE_KEY,
  WGPEER_A_ALLOWEDIPS,
  WGPEER_A_ENDPOINT,
  WGPEER_A_FLAGS,
  WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
  WGPEER_A_PUBLIC_KEY,
  WG_CMD_SET_DEVICE,
  WG_KEY_LEN,
  type WireguardEndpoint,
  encodeEndpoint,
} from "./wireguard-message.ts";

// enum wgdevice_flag (linux/wireguard.h)
const WGDEVICE_F_REPLACE_PEERS = 1 << 0;
// enum wgpeer_flag (linux/wireguard.h)
const WGPEER_F_REMOVE_ME = 1 << 0;
const WGPEER_F_REPLACE_ALLOWEDIPS = 1 << 1;

/** An attribute holds 64 KiB, and so that of all peers. An address takes up to 40 bytes, so that a peer's part stays below. */
const MAX_ALLOWED_IPS = 500;
const MAX_PEERS_BYTES = 16 * 1024;

/** What is absent stays as it is. */
export interface WireguardChange {
  /** 32 octets. It is in the request's body, and in nothing that is printed. */
  readonly privateKey?: Uint8Array;
  /** The UDP port; 0 is any. */
  readonly listenPort?: number;
  /** The mark of the packets that the device itself sends; 0 is none. */
  readonly fwmark?: number;
  /** Peers that are not named here are removed. */
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

export type PeerChange = PeerSettings | PeerRemoval;

export interface PeerRemoval {
  readonly kind: "remove";
  readonly publicKey: WireguardPublicKey;
}

/** Makes the peer where it is not there yet. What is absent stays as it is. */
export interface PeerSettings {
  readonly kind: "set";
  readonly publicKey: WireguardPublicKey;
  readonly endpoint?: WireguardEndpoint;
  /** How often an idle peer is sent a packet, in seconds; 0 is never. */
  readonly keepaliveSec?: number;
  /** Added to those the peer has; another peer that has one of them loses it. */
  readonly allowedIps?: readonly Cidr[];
  /** Those that are not named here are removed first: for an instant the peer has none. */
  readonly replaceAllowedIps?: boolean;
}

/**
 * Changes a WireGuard device. More than one request where one has not room for all peers; they must be executed in their order,
 * and what comes after one that fails is not done in full. `ENODEV` where there is no such link, `EOPNOTSUPP` where
 * it is no WireGuard device, `EADDRINUSE` where the port is taken and the device is up.
 */
export function changeWireguard(
  family: GenlFamily,
  ref: LinkRef,
  change: WireguardChange,
): readonly NetlinkRequest[] {
  const [first = [], ...others] = batchesOf((change.peers ?? []).flatMap(encodePeer));
  const request = (batch: readonly Uint8Array[], settings: WireguardChange): NetlinkRequest => ({
    description: `change WireGuard device ${quoteRef(ref)}`,
    type: family.id,
    flags: 0,
    body: encodeChange(family, ref, settings, batch),
  });
  return [request(first, change), ...others.map((batch) => request(batch, {}))];
}

function encodeChange(
  family: GenlFamily,
  ref: LinkRef,
  { privateKey, listenPort, fwmark, replacePeers }: WireguardChange,
  peers: readonly Uint8Array[],
): Uint8Array {
  const body = genlMessage(WG_CMD_SET_DEVICE, family.version);
  if ("index" in ref) body.u32(WGDEVICE_A_IFINDEX, ref.index);
  else body.string(WGDEVICE_A_IFNAME, ref.name);
  if (replacePeers === true) body.u32(WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
  if (privateKey !== undefined) body.bytes(WGDEVICE_A_PRIVATE_KEY, checkedKey(privateKey));
  if (listenPort !== undefined) body.u16(WGDEVICE_A_LISTEN_PORT, listenPort);
  if (fwmark !== undefined) body.u32(WGDEVICE_A_FWMARK, fwmark);
  if (peers.length > 0)
    body.nested(WGDEVICE_A_PEERS, (list) => {
      peers.forEach((peer) => list.raw(peer));
    });
  return body.finish();
}

/** The kernel's refusal would name the attribute by its number alone. */
function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length !== WG_KEY_LEN)
    throw new RangeError(`Cannot encode private key: want ${WG_KEY_LEN} octets, have ${key.length}`);
  return key;
}

/** A peer as one element of WGDEVICE_A_PEERS, or as several where it has many addresses. */
function encodePeer(peer: PeerChange): readonly Uint8Array[] {
  const { publicKey } = peer;
  if (peer.kind === "remove")
    return [encodePart(publicKey, (part) => part.u32(WGPEER_A_FLAGS, WGPEER_F_REMOVE_ME))];
  const [first, ...others] = slices(peer.allowedIps ?? [], MAX_ALLOWED_IPS);
  return [
    encodePart(publicKey, (part) => {
      encodeSettings(part, peer, first);
    }),
    ...others.map((ips) =>
      encodePart(publicKey, (part) => {
        encodeAllowedIps(part, ips);
      }),
    ),
  ];
}

function encodePart(publicKey: WireguardPublicKey, fill: (part: AttributeEncoder) => void): Uint8Array {
  return new AttributeEncoder()
    .nested(0, (part) => {
      fill(part.bytes(WGPEER_A_PUBLIC_KEY, wireguardPublicKeyToBytes(publicKey)));
    })
    .finish();
}

function encodeSettings(
  part: AttributeEncoder,
  { endpoint, keepaliveSec, replaceAllowedIps }: PeerSettings,
  ips: readonly Cidr[] = [],
): void {
  if (replaceAllowedIps === true) part.u32(WGPEER_A_FLAGS, WGPEER_F_REPLACE_ALLOWEDIPS);
  if (endpoint !== undefined) part.bytes(WGPEER_A_ENDPOINT, encodeEndpoint(endpoint));
  if (keepaliveSec !== undefined) part.u16(WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, keepaliveSec);
  if (ips.length > 0) encodeAllowedIps(part, ips);
}

function encodeAllowedIps(part: AttributeEncoder, ips: readonly Cidr[]): void {
  part.nested(WGPEER_A_ALLOWEDIPS, (list) => {
    for (const cidr of ips) {
      const ip = cidrAddress(cidr);
      list.nested(0, (one) =>
        one
          .u16(WGALLOWEDIP_A_FAMILY, addressFamilyOf(ip))
          .bytes(WGALLOWEDIP_A_IPADDR, ipToBytes(ip))
          .u8(WGALLOWEDIP_A_CIDR_MASK, prefixLengthOf(cidr)),
      );
    }
  });
}

function batchesOf(parts: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const batches: Uint8Array[][] = [];
  let room = 0;
  for (const part of parts) {
    if (room < part.length) {
      batches.push([]);
      room = MAX_PEERS_BYTES;
    }
    batches.at(-1)?.push(part);
    room -= part.length;
  }
  return batches;
}

function slices<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
