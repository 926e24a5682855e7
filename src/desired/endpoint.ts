// SPDX-License-Identifier: Apache-2.0
import { hostCidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import { familyOf } from "../net/ip.ts";
import type { Contribution } from "./contributions.ts";
import type { EndpointFacts } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { endpointSources } from "./source-check.ts";
import { interfaceSysctl, ipv6Sysctls } from "./sysctl.ts";
import {
  GATEWAY6,
  MAIN_TABLE,
  NODE_END_MAC,
  WORKLOAD_METRIC,
  WORKLOAD_METRIC6,
  type WantedAddress,
  type WantedLink,
  type WantedNeighbour,
  type WantedRoute,
  type WantedSysctl,
  addressKey,
  linkKey,
  neighbourKey,
  routeKey,
} from "./wanted.ts";

export function endpointContributed(endpoint: EndpointFacts, mtu: number | undefined): Contributed {
  return {
    source: endpointSources(endpoint),
    link: endpointLinks(endpoint),
    mtu: mtu === undefined ? [] : [{ key: endpoint.ifName, value: { ifName: endpoint.ifName, mtu } }],
    sysctl: endpointSysctls(endpoint),
    address: endpointAddresses(endpoint),
    neighbour: endpointNeighbours(endpoint),
    route: endpointRoutes(endpoint),
  };
}

function endpointLinks({ ifName }: EndpointFacts): readonly Contribution<WantedLink>[] {
  return [{ key: linkKey(ifName), value: { kind: "nodeEnd", name: ifName, mac: NODE_END_MAC } }];
}

/** The container's gateway. IPv4 needs none: proxy ARP answers for what no interface has. */
function endpointAddresses(endpoint: EndpointFacts): readonly Contribution<WantedAddress>[] {
  const { ifName } = endpoint;
  return hasIpv6(endpoint) ? [{ key: addressKey(ifName, GATEWAY6), value: { ifName, ip: GATEWAY6 } }] : [];
}

/** `<container>/32 dev cali… scope link` for each address, of IPv6 `<container>/128 dev cali…`. */
function endpointRoutes({ ifName, ips }: EndpointFacts): readonly Contribution<WantedRoute>[] {
  return ips.map((ip) => {
    const dst = hostCidr(ip);
    const metric = familyOf(ip) === 4 ? WORKLOAD_METRIC : WORKLOAD_METRIC6;
    const value = {
      table: MAIN_TABLE,
      dst,
      metric,
      target: { kind: "link", ifName },
      standing: "present",
    } as const;
    return { key: routeKey(dst, metric), value };
  });
}

/** A permanent entry for each address: the node never has to ask a container for its MAC address. */
function endpointNeighbours({ ifName, ips, mac }: EndpointFacts): readonly Contribution<WantedNeighbour>[] {
  return ips.map((ip) => ({ key: neighbourKey(ifName, ip), value: { ifName, ip, mac } }));
}

/** The settings of a node end; `ip-sysctl.rst` of the kernel's documentation explains each. */
function endpointSysctls(endpoint: EndpointFacts): readonly Contribution<WantedSysctl>[] {
  const { ifName } = endpoint;
  return [
    // Answer for 169.254.1.1, at once, for a container that has lost its permanent neighbour entry.
    interfaceSysctl("ipv4", "conf", ifName, "proxy_arp", "1"),
    interfaceSysctl("ipv4", "neigh", ifName, "proxy_delay", "0"),
    interfaceSysctl("ipv4", "conf", ifName, "forwarding", "1"),
    // Strict reverse path (RFC 3704): a container sends from its own address only, unless `conf/all` is looser (the larger counts).
    interfaceSysctl("ipv4", "conf", ifName, "rp_filter", "1"),
    // Redirects would tell containers of paths that only the node may use.
    interfaceSysctl("ipv4", "conf", ifName, "send_redirects", "0"),
    ...(hasIpv6(endpoint)
      ? ipv6NodeEndSysctls(ifName)
      : // Without IPv6 addresses the interface stays silent in IPv6: no router solicitations, no duplicate detection.
        [interfaceSysctl("ipv6", "conf", ifName, "disable_ipv6", "1")]),
  ];
}

/** Every node end has the same address; the other end of the link never has it. */
function ipv6NodeEndSysctls(ifName: IfName): readonly Contribution<WantedSysctl>[] {
  return [
    ...ipv6Sysctls(ifName),
    // The gateway is the node end's own and needs no proxy; entries that somebody adds (`ip neighbour add proxy`) are answered for.
    interfaceSysctl("ipv6", "conf", ifName, "proxy_ndp", "1"),
  ];
}

function hasIpv6({ ips }: EndpointFacts): boolean {
  return ips.some((ip) => familyOf(ip) === 6);
}
