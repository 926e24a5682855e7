// SPDX-License-Identifier: Apache-2.0

/** The settings that decide whether packets pass, by their paths under /proc/sys: of the node, and of these interfaces. */
export function nodeSettings(ifNames: readonly string[]): readonly string[] {
  const ofInterfaces = ifNames.flatMap((name) =>
    ["forwarding", "rp_filter", "proxy_arp"].map((setting) => `net/ipv4/conf/${name}/${setting}`),
  );
  return [
    "net/ipv4/ip_forward",
    "net/ipv4/icmp_echo_ignore_all",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/icmp/echo_ignore_all",
    ...new Set(ofInterfaces),
  ];
}
