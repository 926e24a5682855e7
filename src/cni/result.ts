// SPDX-License-Identifier: Apache-2.0
import { NODE_END_MAC, gatewayOf } from "../desired/wanted.ts";
import { hostCidr } from "../net/cidr.ts";
import { type Ip, familyOf } from "../net/ip.ts";
import type { Attachment } from "./attachment.ts";
import type { Dns, PrevResult } from "./network-config.ts";
import { type CniVersion, isAtLeast } from "./version.ts";

/** What ADD has made. */
export interface Made {
  readonly attachment: Attachment;
  readonly ips: readonly Ip[];
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
  if (!isAtLeast(cniVersion, "0.3.0")) return { cniVersion, ...renderFirst(ips), dns: dns ?? {} };
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
    routes: [...(prevResult.routes ?? []), ...routesOf(ips)],
    dns: { ...prevResult.dns, ...dns },
  };
}

/** Until 0.2.0 a result knew no interfaces, and one address of each family. */
function renderFirst(ips: readonly Ip[]): object {
  return Object.fromEntries(
    ips.map((ip) => [
      `ip${familyOf(ip)}`,
      { ip: hostCidr(ip), gateway: gatewayOf(familyOf(ip)), routes: routesOf([ip]) },
    ]),
  );
}

function routesOf(ips: readonly Ip[]): readonly object[] {
  return ips
    .map(familyOf)
    .map((family) => ({ dst: family === 4 ? "0.0.0.0/0" : "::/0", gw: gatewayOf(family) }));
}
