// SPDX-License-Identifier: Apache-2.0
import type { IfName } from "../net/if-name.ts";
import type { Contribution } from "./contributions.ts";
import { type WantedSysctl, sysctlKey } from "./wanted.ts";

/** A setting of the whole node, `net.ipv4.<name>`. */
export function nodeSysctl(name: string, value: string): Contribution<WantedSysctl> {
  return sysctl(["net", "ipv4", name], value, undefined);
}

/**
 * What makes the node forward IPv6: the setting of all interfaces at once, which those of each do not stand for (`ip6_forward()`,
 * net/ipv6/ip6_output.c).
 */
export function ipv6Forwarding(): Contribution<WantedSysctl> {
  return sysctl(IPV6_FORWARDING, "1", undefined);
}

export function interfaceSysctl(
  family: "ipv4" | "ipv6",
  group: "conf" | "neigh",
  ifName: IfName,
  name: string,
  value: string,
): Contribution<WantedSysctl> {
  return sysctl(["net", family, group, ifName, name], value, ifName);
}

/** The settings of an interface of ours that carries IPv6. */
export function ipv6Sysctls(ifName: IfName): readonly Contribution<WantedSysctl>[] {
  const setting = (name: string, value: string): Contribution<WantedSysctl> =>
    interfaceSysctl("ipv6", "conf", ifName, name, value);
  return [
    // The addresses of both ends are known beforehand, and differ: there is nothing to detect (RFC 4862 section 5.4).
    setting("accept_dad", "0"),
    // What the other end says of routers and prefixes is not believed.
    setting("accept_ra", "0"),
    setting("disable_ipv6", "0"),
    setting("forwarding", "1"),
  ];
}

/** The settings of a tunnel device that carries IPv4; `ip-sysctl.rst` of the kernel's documentation explains each. */
export function tunnelSysctls(ifName: IfName): readonly Contribution<WantedSysctl>[] {
  return [
    interfaceSysctl("ipv4", "conf", ifName, "forwarding", "1"),
    // Loose reverse path (RFC 3704): while a mode changes, the other node may send by another way than this one, and that is no forgery.
    // The larger of this and `conf/all` counts.
    interfaceSysctl("ipv4", "conf", ifName, "rp_filter", "2"),
  ];
}

export const IPV6_FORWARDING = ["net", "ipv6", "conf", "all", "forwarding"] as const;

function sysctl(
  path: readonly string[],
  value: string,
  ifName: IfName | undefined,
): Contribution<WantedSysctl> {
  return { key: sysctlKey(path), value: { path, value, ifName } };
}
