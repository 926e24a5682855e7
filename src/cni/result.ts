// SPDX-License-Identifier: Apache-2.0
import { NODE_END_MAC, gatewayOf } from "../desired/wanted.ts";
import { type KernelRoute, RT_TABLE_MAIN } from "../dataplane/netlink/route.ts";
import { type Cidr, cidrFamily, hostCidr } from "../net/cidr.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { Attachment } from "./attachment.ts";
import type { Dns, PrevResult } from "./network-config.ts";
import { type CniVersion, isAtLeast } from "./version.ts";

/** What ADD has made. */
export interface Made {
  readonly attachment: Attachment;
  readonly ips: readonly Ip[];
  /** The container's. */
  readonly routes: readonly KernelRoute[];
  /** The path of the container's network namespace. */
  readonly netns: string;
  /** In octets. */
  readonly mtu: number;
  readonly dns: Dns | undefined;
  /** What the plugins before have made. */
  readonly prevResult: PrevResult | undefined;
}

/** The result of ADD in the version asked for (specification section 5, "Success", and that of versions before). */
export function renderResult(cniVersion: CniVersion, made: Made): object {
  const { attachment, ips, netns, mtu, dns, prevResult = {} } = made;
  const routes = renderRoutes(cniVersion, made.routes);
  if (!isAtLeast(cniVersion, "0.3.0")) return { cniVersion, ...renderFirst(ips, routes), dns: dns ?? {} };
  const { nodeEnd, ifName, mac } = attachment;
  const before = prevResult.interfaces ?? [];
  const size = isAtLeast(cniVersion, "1.1.0") && { mtu };
  return {
    ...prevResult,
    cniVersion,
    interfaces: [
      ...before,
      { name: nodeEnd, mac: NODE_END_MAC, ...size },
      { name: ifName, mac, sandbox: netns, ...size },
    ],
    ips: [
      ...(prevResult.ips ?? []),
      ...ips.map((ip) => ({
        ...(!isAtLeast(cniVersion, "1.0.0") && { version: String(familyOf(ip)) }),
        address: hostCidr(ip),
        gateway: gatewayOf(familyOf(ip)),
        interface: before.length + 1,
      })),
    ],
    routes: [...(prevResult.routes ?? []), ...routes],
    dns: { ...prevResult.dns, ...dns },
  };
}

/** Until 0.2.0 a result knew no interfaces, and one address of each family. */
function renderFirst(ips: readonly Ip[], routes: readonly RenderedRoute[]): object {
  const ofFamily = (family: Family): readonly RenderedRoute[] =>
    routes.filter(({ dst }) => cidrFamily(dst) === family);
  return Object.fromEntries(
    ips.map((ip) => {
      const family = familyOf(ip);
      return [`ip${family}`, { ip: hostCidr(ip), gateway: gatewayOf(family), routes: ofFamily(family) }];
    }),
  );
}

interface RenderedRoute {
  readonly dst: Cidr;
  readonly gw: Ip;
  readonly table?: number;
  readonly priority?: number;
}

/** Those that lead beyond the gateway. Before 1.1.0 a route was of the main table, and had no priority: others could only be misread. */
function renderRoutes(cniVersion: CniVersion, routes: readonly KernelRoute[]): readonly RenderedRoute[] {
  return routes.flatMap(({ dst, gateway: gw, table, metric: priority }) => {
    if (gw === undefined) return [];
    if (table === RT_TABLE_MAIN && priority === 0) return [{ dst, gw }];
    return isAtLeast(cniVersion, "1.1.0") ? [{ dst, gw, table, priority }] : [];
  });
}
