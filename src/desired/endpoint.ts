// SPDX-License-Identifier: Apache-2.0
import { hostCidr } from "../net/cidr.ts";
import { familyOf } from "../net/ip.ts";
import type { Contribution } from "./contributions.ts";
import type { EndpointFacts } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { endpointSources } from "./source-check.ts";
import { interfaceSysctl } from "./sysctl.ts";
import {
  MAIN_TABLE,
  NODE_END_MAC,
  WORKLOAD_METRIC,
  type WantedLink,
  type WantedNeighbour,
  type WantedRoute,
  type WantedSysctl,
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
    neighbour: endpointNeighbours(endpoint),
    route: endpointRoutes(endpoint),
  };
}

function endpointLinks({ ifName }: EndpointFacts): readonly Contribution<WantedLink>[] {
  return [{ key: linkKey(ifName), value: { kind: "nodeEnd", name: ifName, mac: NODE_END_MAC } }];
}

/** `<container>/32 dev cali… scope link` for each address. */
function endpointRoutes({ ifName, ips }: EndpointFacts): readonly Contribution<WantedRoute>[] {
  return ips.map((ip) => {
    const dst = hostCidr(ip);
    const value = {
      table: MAIN_TABLE,
      dst,
      metric: WORKLOAD_METRIC,
      target: { kind: "link", ifName },
      standing: "present",
    } as const;
    return { key: routeKey(dst, WORKLOAD_METRIC), value };
  });
}

/** A permanent entry for each address: the node never has to ask a container for its MAC address. */
function endpointNeighbours({ ifName, ips, mac }: EndpointFacts): readonly Contribution<WantedNeighbour>[] {
  return ips.map((ip) => ({ key: neighbourKey(ifName, ip), value: { ifName, ip, mac } }));
}

/** The settings of a node end; `ip-sysctl.rst` of the kernel's documentation explains each. */
function endpointSysctls({ ifName, ips }: EndpointFacts): readonly Contribution<WantedSysctl>[] {
  const hasIpv6 = ips.some((ip) => familyOf(ip) === 6);
  return [
    // Answer for 169.254.1.1, at once, for a container that has lost its permanent neighbour entry.
    interfaceSysctl("ipv4", "conf", ifName, "proxy_arp", "1"),
    interfaceSysctl("ipv4", "neigh", ifName, "proxy_delay", "0"),
    interfaceSysctl("ipv4", "conf", ifName, "forwarding", "1"),
    // Strict reverse path (RFC 3704): a container sends from its own address only, unless `conf/all` is looser (the larger counts).
    interfaceSysctl("ipv4", "conf", ifName, "rp_filter", "1"),
    // Redirects would tell containers of paths that only the node may use.
    interfaceSysctl("ipv4", "conf", ifName, "send_redirects", "0"),
    // Without IPv6 addresses the interface stays silent in IPv6: no router solicitations, no duplicate detection.
    interfaceSysctl("ipv6", "conf", ifName, "disable_ipv6", hasIpv6 ? "0" : "1"),
  ];
}
