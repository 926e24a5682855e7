// SPDX-License-Identifier: Apache-2.0
import { ipToBytes } from "../../net/ip.ts";
import type { Ipv4 } from "../../net/ipv4.ts";
import { putU16, putU16be } from "../netlink/integer.ts";

/** #define AF_INET 2 (sys/socket.h) */
export const AF_INET = 2;

/** `struct sockaddr_in` of netinet/in.h; port 0 where the protocol has none. */
export function sockaddrIn(address: Ipv4, port = 0): Uint8Array {
  // struct sockaddr_in { __kernel_sa_family_t sin_family; __be16 sin_port; struct in_addr sin_addr; … } of 16 bytes
  const bytes = new Uint8Array(16);
  putU16(bytes, 0, AF_INET);
  putU16be(bytes, 2, port);
  bytes.set(ipToBytes(address), 4);
  return bytes;
}
