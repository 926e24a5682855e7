// SPDX-License-Identifier: Apache-2.0
import { hostCidr } from "../net/cidr.ts";
import { type Ip, familyOf } from "../net/ip.ts";
import { GATEWAY, NODE_END_MAC } from "../desired/wanted.ts";
import type { Attachment } from "./attachment.ts";
import type { NetworkConfig } from "./request.ts";
import type { CniVersion } from "./version.ts";

/** The result of ADD in the version asked for (specification section 5; `ips[].version` only before 1.0.0). */
export function renderResult(
  cniVersion: CniVersion,
  { nodeEnd, ifName, mac }: Attachment,
  ips: readonly Ip[],
  { netns, dns }: { readonly netns: string; readonly dns: NetworkConfig["dns"] },
): object {
  return {
    cniVersion,
    interfaces: [
      { name: nodeEnd, mac: NODE_END_MAC },
      { name: ifName, mac, sandbox: netns },
    ],
    ips: ips.map((ip) => ({
      ...(cniVersion === "0.4.0" && { version: String(familyOf(ip)) }),
      address: hostCidr(ip),
      gateway: GATEWAY,
      interface: 1,
    })),
    routes: [{ dst: "0.0.0.0/0", gw: GATEWAY }],
    dns: dns ?? {},
  };
}
