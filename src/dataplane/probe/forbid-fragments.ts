// SPDX-License-Identifier: Apache-2.0
import type { Family } from "../../net/ip.ts";
import { SOL_IP, SOL_IPV6, setsockopt } from "../netlink/syscalls.ts";

// linux/in.h: #define IP_MTU_DISCOVER 10, #define IP_PMTUDISC_PROBE 3 (Linux 2.6.22); linux/in6.h: #define IPV6_MTU_DISCOVER 23, #define IPV6_PMTUDISC_PROBE 3
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_PROBE = 3;
const IPV6_MTU_DISCOVER = 23;
const IPV6_PMTUDISC_PROBE = 3;

/** Has nobody fragment what the socket sends, and the kernel not go by what it has learnt of paths before. Throws `KernelError`. */
export function forbidFragments(fd: number, family: Family): void {
  if (family === 4) setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  else setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
}
