// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf, ipFromBytes } from "../../net/ip.ts";
import type { AttributeDecoder } from "./attribute.ts";

// Address families as rtnetlink's headers have them (sys/socket.h).
// #define AF_UNSPEC 0
export const AF_UNSPEC = 0;
// #define AF_INET 2
export const AF_INET = 2;
// #define AF_BRIDGE 7
export const AF_BRIDGE = 7;
// #define AF_INET6 10
export const AF_INET6 = 10;

export function addressFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

export function addressFamilyOf(ip: Ip): number {
  return addressFamily(familyOf(ip));
}

/** The family, or `undefined` for one that is neither IPv4 nor IPv6 (bridge ports, multicast routing, MPLS …). */
export function familyFrom(addressFamily: number): Family | undefined {
  if (addressFamily === AF_INET) return 4;
  return addressFamily === AF_INET6 ? 6 : undefined;
}

/** The address in the current attribute, which must have the length of its family. */
export function decodeIp(attributes: AttributeDecoder, family: Family): Ip {
  const bytes = attributes.bytes();
  if (bytes.length !== (family === 4 ? 4 : 16))
    throw new RangeError(
      `Cannot decode attribute ${attributes.type}: ${bytes.length} bytes are no IPv${family} address`,
    );
  return ipFromBytes(bytes);
}
