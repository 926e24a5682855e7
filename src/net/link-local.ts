// SPDX-License-Identifier: Apache-2.0
import { cidrContainsIp, parseCidr } from "./cidr.ts";
import type { Ip } from "./ip.ts";
import { type Ipv6, ipv6FromBytes } from "./ipv6.ts";
import { type Mac, macToBytes } from "./mac.ts";

/** The link-local address that an interface gives itself by its MAC address (RFC 4291 appendix A and section 2.5.6). */
export function linkLocalOf(mac: Mac): Ipv6 {
  const [first = 0, ...rest] = macToBytes(mac);
  const identifier = [first ^ 0x02, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)];
  return ipv6FromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...identifier));
}

/** RFC 3927; RFC 4291 section 2.5.6. */
const LINK_LOCAL = ["169.254.0.0/16", "fe80::/10"].map(parseCidr);

/** Whether the address is one of a single link, and may stand for something else on another. */
export function isLinkLocal(ip: Ip): boolean {
  return LINK_LOCAL.some((cidr) => cidrContainsIp(cidr, ip));
}
