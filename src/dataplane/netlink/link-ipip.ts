// SPDX-License-Identifier: Apache-2.0
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from "../../net/ipv4.ts";
import type { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { type NewLink, createLink } from "./link-message.ts";
import type { NetlinkRequest } from "./request.ts";

// Inside IFLA_INFO_DATA of an ipip (linux/if_tunnel.h).
const IFLA_IPTUN_LINK = 1;
const IFLA_IPTUN_LOCAL = 2;
const IFLA_IPTUN_REMOTE = 3;
const IFLA_IPTUN_TTL = 4;
const IFLA_IPTUN_TOS = 5;
const IFLA_IPTUN_PROTO = 9;
const IFLA_IPTUN_PMTUDISC = 10;
const IFLA_IPTUN_COLLECT_METADATA = 19;

/** What an IPIP device does with packets. */
export interface IpipTunnel {
  readonly kind: "ipip";
  /** The outer source address; the route's where absent. */
  readonly localIp?: Ipv4;
  /** The other end; where absent there are many, and the route's gateway says which. */
  readonly remoteIp?: Ipv4;
  /** The device below, where packets may take no other. */
  readonly linkIndex?: number;
  /** The outer header's hop limit; 0 is the inner header's. */
  readonly ttl: number;
  /** The outer header's type of service; 1 is the inner header's. */
  readonly tos: number;
  /** The outer header says don't fragment, whatever the inner header says; always so with a `ttl`. */
  readonly pathMtuDiscovery: boolean;
  /** What it carries: 4 is IPv4, 0 is MPLS as well. */
  readonly protocol: number;
  /** Routes and programs say where each packet goes; the addresses here count for nothing. */
  readonly external: boolean;
}

export type NewIpip = Omit<NewLink, "mac"> &
  Pick<IpipTunnel, "localIp" | "remoteIp" | "linkIndex"> &
  Partial<Pick<IpipTunnel, "ttl" | "tos" | "pathMtuDiscovery">>;

/**
 * Makes an IPIP device; `EEXIST` where the name is taken or another has the same ends, `EOPNOTSUPP` where the kernel has no
 * IPIP. The attempt loads the kernel's module, which makes a device of its own in every namespace, without ends:
 * `tunl0`. So making `tunl0` may fail with `EEXIST` and leave the device there all the same.
 */
export function createIpip(ipip: NewIpip): NetlinkRequest {
  return createLink("ipip", ipip, (data) => {
    encodeIpip(ipip, data);
  });
}

function encodeIpip(ipip: NewIpip, into: AttributeEncoder): void {
  const { localIp, remoteIp, linkIndex, ttl, tos, pathMtuDiscovery } = ipip;
  if (linkIndex !== undefined) into.u32(IFLA_IPTUN_LINK, linkIndex);
  if (localIp !== undefined) into.u32be(IFLA_IPTUN_LOCAL, ipv4ToNumber(localIp));
  if (remoteIp !== undefined) into.u32be(IFLA_IPTUN_REMOTE, ipv4ToNumber(remoteIp));
  if (ttl !== undefined) into.u8(IFLA_IPTUN_TTL, ttl);
  if (tos !== undefined) into.u8(IFLA_IPTUN_TOS, tos);
  if (pathMtuDiscovery !== undefined) into.u8(IFLA_IPTUN_PMTUDISC, Number(pathMtuDiscovery));
}

/** The parameters in an IFLA_INFO_DATA. The kernel gives 0 for an address or a device that is not set. */
export function decodeIpip(data: AttributeDecoder): IpipTunnel {
  const found: { -readonly [Field in keyof IpipTunnel]: IpipTunnel[Field] } = {
    kind: "ipip",
    ttl: 0,
    tos: 0,
    pathMtuDiscovery: false,
    protocol: 0,
    external: false,
  };
  while (data.next()) {
    switch (data.type) {
      case IFLA_IPTUN_LINK:
        if (data.u32() !== 0) found.linkIndex = data.u32();
        break;
      case IFLA_IPTUN_LOCAL:
        if (data.u32be() !== 0) found.localIp = ipv4FromNumber(data.u32be());
        break;
      case IFLA_IPTUN_REMOTE:
        if (data.u32be() !== 0) found.remoteIp = ipv4FromNumber(data.u32be());
        break;
      case IFLA_IPTUN_TTL:
        found.ttl = data.u8();
        break;
      case IFLA_IPTUN_TOS:
        found.tos = data.u8();
        break;
      case IFLA_IPTUN_PROTO:
        found.protocol = data.u8();
        break;
      case IFLA_IPTUN_PMTUDISC:
        found.pathMtuDiscovery = data.u8() !== 0;
        break;
      case IFLA_IPTUN_COLLECT_METADATA:
        found.external = true;
        break;
    }
  }
  return found;
}
