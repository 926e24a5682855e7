// SPDX-License-Identifier: Apache-2.0
// What the messages to and from WireGuard have in common (linux/wireguard.h, of Linux 5.6).
import { type Ip, familyOf, ipFromBytes, ipToBytes } from "../../net/ip.ts";
import { addressFamilyOf, familyFrom } from "./family.ts";
import { getU16, getU16be, putU16, putU16be } from "./integer.ts";

// #define WG_GENL_NAME "wireguard"
export const WG_GENL_NAME = "wireguard";
// enum wg_cmd
export const WG_CMD_GET_DEVICE = 0;
export const WG_CMD_SET_DEVICE = 1;
// #define WG_KEY_LEN 32
export const WG_KEY_LEN = 32;

// enum wgdevice_attribute
export const WGDEVICE_A_IFINDEX = 1;
export const WGDEVICE_A_IFNAME = 2;
export const WGDEVICE_A_PRIVATE_KEY = 3;
export const WGDEVICE_A_PUBLIC_KEY = 4;
export const WGDEVICE_A_FLAGS = 5;
export const WGDEVICE_A_LISTEN_PORT = 6;
export const WGDEVICE_A_FWMARK = 7;
export const WGDEVICE_A_PEERS = 8;
// enum wgpeer_attribute
export const WGPEER_A_PUBLIC_KEY = 1;
export const WGPEER_A_FLAGS = 3;
export const WGPEER_A_ENDPOINT = 4;
export const WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL = 5;
export const WGPEER_A_LAST_HANDSHAKE_TIME = 6;
export const WGPEER_A_RX_BYTES = 7;
export const WGPEER_A_TX_BYTES = 8;
export const WGPEER_A_ALLOWEDIPS = 9;
// enum wgallowedip_attribute
export const WGALLOWEDIP_A_FAMILY = 1;
export const WGALLOWEDIP_A_IPADDR = 2;
export const WGALLOWEDIP_A_CIDR_MASK = 3;

/** Where a peer receives its packets. */
export interface WireguardEndpoint {
  readonly ip: Ip;
  readonly port: number;
}

/** The endpoint as `struct sockaddr_in` or `struct sockaddr_in6`. */
export function encodeEndpoint({ ip, port }: WireguardEndpoint): Uint8Array {
  // struct sockaddr_in { __kernel_sa_family_t sin_family; __be16 sin_port; struct in_addr sin_addr; __u8 pad[8]; }
  // struct sockaddr_in6 { unsigned short sin6_family; __be16 sin6_port; __be32 sin6_flowinfo; struct in6_addr sin6_addr;
  //   __u32 sin6_scope_id; }
  const isIpv4 = familyOf(ip) === 4;
  const address = new Uint8Array(isIpv4 ? 16 : 28);
  putU16(address, 0, addressFamilyOf(ip));
  putU16be(address, 2, port);
  address.set(ipToBytes(ip), isIpv4 ? 4 : 8);
  return address;
}

/** The inverse of {@link encodeEndpoint}; `undefined` for another family, `RangeError` where bytes are missing. */
export function decodeEndpoint(bytes: Uint8Array): WireguardEndpoint | undefined {
  const family = familyFrom(getU16(bytes, 0));
  if (family === undefined) return undefined;
  const [start, end] = family === 4 ? [4, 8] : [8, 24];
  if (bytes.length < end)
    throw new RangeError(`Cannot decode sockaddr: want ${end} bytes, have ${bytes.length}`);
  return { ip: ipFromBytes(bytes.subarray(start, end)), port: getU16be(bytes, 2) };
}
