// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrOf } from "../../net/cidr.ts";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import type { AttributeDecoder } from "./attribute.ts";
import { decodeIp, familyFrom } from "./family.ts";
import { type GenlFamily, genlAttributes, genlMessage } from "./genl-message.ts";
import { getU64 } from "./integer.ts";
import { type LinkRef, quoteRef } from "./link.ts";
import { NLM_F_DUMP } from "./message.ts";
import type { Dump } from "./request.ts";
import {
  WGALLOWEDIP_A_CIDR_MASK,
  WGALLOWEDIP_A_FAMILY,
  WGALLOWEDIP_A_IPADDR,
  WGDEVICE_A_FWMARK,
  WGDEVICE_A_IFINDEX,
  WGDEVICE_A_IFNAME,
  WGDEVICE_A_LISTEN_PORT,
  WGDEVICE_A_PEERS,
  WGDEVICE_A_PUBLIC_KEY,
  WGPEER_A_ALLOWEDIPS,
  WGPEER_A_ENDPOINT,
  WGPEER_A_LAST_HANDSHAKE_TIME,
  WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
  WGPEER_A_PUBLIC_KEY,
  WGPEER_A_RX_BYTES,
  WGPEER_A_TX_BYTES,
  WG_CMD_GET_DEVICE,
  type WireguardEndpoint,
  decodeEndpoint,
} from "./wireguard-message.ts";

/** A WireGuard device as it stands in the kernel. Its private key is not read. */
export interface WireguardDevice {
  readonly ifIndex: number;
  /** Absent while the device has no private key. */
  readonly publicKey?: WireguardPublicKey;
  /** The UDP port; 0 until the device is up, where none was asked for. */
  readonly listenPort: number;
  /** The mark of the packets that the device itself sends; 0 is none. */
  readonly fwmark: number;
  readonly peers: readonly WireguardPeer[];
}

export interface WireguardPeer {
  readonly publicKey: WireguardPublicKey;
  /** Where the last packet came from; before the first one, what was set. */
  readonly endpoint?: WireguardEndpoint;
  readonly allowedIps: readonly Cidr[];
  /** In seconds; 0 is never. */
  readonly keepaliveSec: number;
  /** Since 1970; absent where there was none yet. */
  readonly lastHandshakeMs?: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/**
 * One WireGuard device, in parts which {@link joinWireguard} puts together. Listing it fails with `ENODEV` where there is no such link,
 * and with `EOPNOTSUPP` where it is no WireGuard device.
 */
export function getWireguard(family: GenlFamily, ref: LinkRef): Dump<WireguardDevice> {
  const body = genlMessage(WG_CMD_GET_DEVICE, family.version);
  if ("index" in ref) body.u32(WGDEVICE_A_IFINDEX, ref.index);
  else body.string(WGDEVICE_A_IFNAME, ref.name);
  return {
    request: {
      description: `get WireGuard device ${quoteRef(ref)}`,
      type: family.id,
      flags: NLM_F_DUMP,
      body: body.finish(),
    },
    decode: (message) => {
      const attributes = genlAttributes(message, family, WG_CMD_GET_DEVICE);
      return attributes && decodeDevice(attributes);
    },
  };
}

/**
 * The device that the parts are of. The kernel cuts the list of peers where a message ends, and inside a peer's addresses too: then
 * the next part begins with the same peer, of which only the rest of the addresses counts.
 */
export function joinWireguard(parts: readonly WireguardDevice[]): WireguardDevice | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const peers: WireguardPeer[] = [];
  for (const peer of parts.flatMap((part) => part.peers)) {
    const last = peers.at(-1);
    if (last?.publicKey !== peer.publicKey) peers.push(peer);
    else peers.splice(-1, 1, { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] });
  }
  return { ...first, peers };
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

function decodeDevice(attributes: AttributeDecoder): WireguardDevice {
  const found: Mutable<WireguardDevice> = { ifIndex: 0, listenPort: 0, fwmark: 0, peers: [] };
  while (attributes.next()) {
    switch (attributes.type) {
      case WGDEVICE_A_IFINDEX:
        found.ifIndex = attributes.u32();
        break;
      case WGDEVICE_A_PUBLIC_KEY:
        found.publicKey = wireguardPublicKeyFromBytes(attributes.bytes());
        break;
      case WGDEVICE_A_LISTEN_PORT:
        found.listenPort = attributes.u16();
        break;
      case WGDEVICE_A_FWMARK:
        found.fwmark = attributes.u32();
        break;
      case WGDEVICE_A_PEERS:
        found.peers = decodeList(attributes.nested(), decodePeer);
        break;
    }
  }
  return found;
}

function decodeList<T>(
  list: AttributeDecoder,
  decode: (item: AttributeDecoder) => T | undefined,
): readonly T[] {
  const items: T[] = [];
  while (list.next()) {
    const item = decode(list.nested());
    if (item !== undefined) items.push(item);
  }
  return items;
}

function decodePeer(attributes: AttributeDecoder): WireguardPeer | undefined {
  const found: Partial<Mutable<WireguardPeer>> = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case WGPEER_A_PUBLIC_KEY:
        found.publicKey = wireguardPublicKeyFromBytes(attributes.bytes());
        break;
      case WGPEER_A_ENDPOINT:
        Object.assign(found, endpointOf(attributes.bytes()));
        break;
      case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
        found.keepaliveSec = attributes.u16();
        break;
      case WGPEER_A_LAST_HANDSHAKE_TIME:
        Object.assign(found, handshakeOf(attributes.bytes()));
        break;
      case WGPEER_A_RX_BYTES:
        found.rxBytes = attributes.u64();
        break;
      case WGPEER_A_TX_BYTES:
        found.txBytes = attributes.u64();
        break;
      case WGPEER_A_ALLOWEDIPS:
        found.allowedIps = decodeList(attributes.nested(), decodeAllowedIp);
        break;
    }
  }
  const { publicKey, ...rest } = found;
  if (publicKey === undefined) return undefined;
  return { publicKey, allowedIps: [], keepaliveSec: 0, rxBytes: 0, txBytes: 0, ...rest };
}

function endpointOf(bytes: Uint8Array): Pick<WireguardPeer, "endpoint"> {
  const endpoint = decodeEndpoint(bytes);
  return endpoint === undefined ? {} : { endpoint };
}

/** The kernel tells of no handshake as one at 0. */
function handshakeOf(bytes: Uint8Array): Pick<WireguardPeer, "lastHandshakeMs"> {
  // struct __kernel_timespec { __kernel_time64_t tv_sec; long long tv_nsec; }
  const [seconds, nanoseconds] = [getU64(bytes, 0), getU64(bytes, 8)];
  if (seconds === 0 && nanoseconds === 0) return {};
  return { lastHandshakeMs: seconds * 1000 + Math.floor(nanoseconds / 1_000_000) };
}

/** `undefined` for an address of a family that is to come. */
function decodeAllowedIp(attributes: AttributeDecoder): Cidr | undefined {
  let family: ReturnType<typeof familyFrom>;
  let ip: ReturnType<typeof decodeIp> | undefined;
  let prefixLength = 0;
  while (attributes.next()) {
    if (attributes.type === WGALLOWEDIP_A_FAMILY) family = familyFrom(attributes.u16());
    // The family comes first.
    if (attributes.type === WGALLOWEDIP_A_IPADDR && family !== undefined) ip = decodeIp(attributes, family);
    if (attributes.type === WGALLOWEDIP_A_CIDR_MASK) prefixLength = attributes.u8();
  }
  return ip && cidrOf(ip, prefixLength);
}
