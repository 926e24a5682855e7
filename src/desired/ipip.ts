// SPDX-License-Identifier: Apache-2.0
import type { Cidr } from "../net/cidr.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Contribution } from "./contributions.ts";
import type { IpipEnd, NodeFacts } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { tunnelSysctls } from "./sysctl.ts";
import { IPIP_DEVICE, LOOPBACK, type WantedIpip, addressKey, ipipKey, linkKey } from "./wanted.ts";

/**
 * This node's end: with the kernel's device, that and the node's address inside the tunnel. With programs there is no device that the
 * address could be on, so it is on the loopback interface.
 */
export function ownIpip({ ip, driver }: IpipEnd, { address }: NodeFacts, mtu: number): Contributed {
  switch (driver) {
    case "device":
      return {
        link: [
          {
            key: linkKey(IPIP_DEVICE),
            value: { kind: "ipip", name: IPIP_DEVICE, mtu },
          },
        ],
        address: [{ key: addressKey(IPIP_DEVICE, ip), value: { ifName: IPIP_DEVICE, ip } }],
        sysctl: tunnelSysctls(IPIP_DEVICE),
      };
    case "bpf":
      return {
        address: [{ key: addressKey(LOOPBACK, ip), value: { ifName: LOOPBACK, ip } }],
        ipip: [entry({ kind: "programs", nodeAddress: address })],
      };
  }
}

/** Packets inside others are taken from this node. The kernel's device takes them from everyone; its guard does not. */
export function ipipPeer({ address }: NodeFacts, { driver }: IpipEnd): Contributed {
  return driver === "bpf" ? { ipip: [entry({ kind: "node", address })] } : {};
}

/** Packets to the prefix are sent inside others to the node. */
export function ipipBlock(dst: Cidr, node: Ipv4): Contribution<WantedIpip> {
  return entry({ kind: "block", dst, node });
}

function entry(value: WantedIpip): Contribution<WantedIpip> {
  return { key: ipipKey(value), value };
}
