// SPDX-License-Identifier: Apache-2.0
import { type Ip, familyOf, ipToBytes } from "../../net/ip.ts";
import { putU16, putU16be } from "../netlink/integer.ts";
import { addressFamilyOf } from "../netlink/family.ts";

/** `struct sockaddr_in` or `struct sockaddr_in6` of netinet/in.h; port 0 where the protocol has none. Link-local addresses of IPv6 need more than this says. */
export function sockaddrOf(address: Ip, port = 0): Uint8Array {
  // struct sockaddr_in { __kernel_sa_family_t sin_family; __be16 sin_port; struct in_addr sin_addr; … } of 16 bytes
  // struct sockaddr_in6 { unsigned short sin6_family; __be16 sin6_port; __be32 sin6_flowinfo; struct in6_addr sin6_addr; __u32 sin6_scope_id; }
  const isIpv4 = familyOf(address) === 4;
  const bytes = new Uint8Array(isIpv4 ? 16 : 28);
  putU16(bytes, 0, addressFamilyOf(address));
  putU16be(bytes, 2, port);
  bytes.set(ipToBytes(address), isIpv4 ? 4 : 8);
  return bytes;
}
