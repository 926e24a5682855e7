// SPDX-License-Identifier: Apache-2.0
import { type Ip, familyOf, ipToBytes } from "../../net/ip.ts";
import type { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { decodeIp } from "./family.ts";
import { type NewLink, createLink } from "./link-message.ts";
import type { NetlinkRequest } from "./request.ts";

// Inside IFLA_INFO_DATA of a vxlan (linux/if_link.h).
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_GROUP = 2;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_TTL = 5;
const IFLA_VXLAN_TOS = 6;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_GROUP6 = 16;
const IFLA_VXLAN_LOCAL6 = 17;
const IFLA_VXLAN_UDP_CSUM = 18;
const IFLA_VXLAN_UDP_ZERO_CSUM6_TX = 19;
const IFLA_VXLAN_UDP_ZERO_CSUM6_RX = 20;
const IFLA_VXLAN_GBP = 23;
const IFLA_VXLAN_COLLECT_METADATA = 25;
const IFLA_VXLAN_DF = 29;

/** `enum ifla_vxlan_df` (linux/if_link.h), by number. */
const DONT_FRAGMENT = ["unset", "set", "inherit"] as const;

/** What the outer header's don't-fragment bit is: 0, 1, or the inner header's. */
export type VxlanDontFragment = (typeof DONT_FRAGMENT)[number];

/** What a VXLAN device does with packets. */
export interface VxlanTunnel {
  readonly kind: "vxlan";
  /** The network identifier, 24 bits. */
  readonly vni: number;
  /** The UDP port, of this and the other ends. */
  readonly port: number;
  /** Forwarding entries are made from the packets that come in. */
  readonly learning: boolean;
  /** The outer source address; the route's where absent. */
  readonly localIp?: Ip;
  /** Where packets go that no forwarding entry is for: another end, or a multicast group. */
  readonly remoteIp?: Ip;
  /** The device below. */
  readonly linkIndex?: number;
  /** The outer header's hop limit; 0 is the route's. */
  readonly ttl: number;
  /** The outer header's type of service; 1 is the inner header's. */
  readonly tos: number;
  readonly dontFragment: VxlanDontFragment;
  /** The outer UDP header over IPv4 has a checksum. */
  readonly udpChecksum: boolean;
  /** The outer UDP header over IPv6 has none. */
  readonly omitsChecksum6: boolean;
  /** Packets over IPv6 are taken without one. */
  readonly takesNoChecksum6: boolean;
  /** Packets carry group policy, so that devices without this drop them. */
  readonly groupPolicy: boolean;
  /** Routes and programs say where each packet goes; the identifier and the addresses here count for nothing. */
  readonly external: boolean;
}

/** What is absent is as the kernel makes it: 0, and unset. */
export type NewVxlan = NewLink &
  Pick<VxlanTunnel, "vni" | "port" | "learning" | "udpChecksum" | "localIp" | "linkIndex"> &
  Partial<Pick<VxlanTunnel, "ttl" | "tos" | "dontFragment" | "takesNoChecksum6">>;

/**
 * Makes a VXLAN device; `EEXIST` where the name is taken, or another has the same identifier and port; `EADDRINUSE` where it is to be up and somebody
 * else has the port.
 */
export function createVxlan(vxlan: NewVxlan): NetlinkRequest {
  const request = createLink("vxlan", vxlan, (data) => {
    encodeVxlan(vxlan, data);
  });
  // The kernel's own words for a refusal name neither.
  return { ...request, description: `${request.description} of VNI ${vxlan.vni} on UDP port ${vxlan.port}` };
}

function encodeVxlan(vxlan: NewVxlan, into: AttributeEncoder): void {
  const { localIp, linkIndex, ttl, tos, dontFragment, takesNoChecksum6 } = vxlan;
  into.u32(IFLA_VXLAN_ID, vxlan.vni);
  if (linkIndex !== undefined) into.u32(IFLA_VXLAN_LINK, linkIndex);
  if (localIp !== undefined)
    into.bytes(familyOf(localIp) === 4 ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, ipToBytes(localIp));
  if (ttl !== undefined) into.u8(IFLA_VXLAN_TTL, ttl);
  if (tos !== undefined) into.u8(IFLA_VXLAN_TOS, tos);
  into.u8(IFLA_VXLAN_LEARNING, Number(vxlan.learning)).u16be(IFLA_VXLAN_PORT, vxlan.port);
  into.u8(IFLA_VXLAN_UDP_CSUM, Number(vxlan.udpChecksum));
  if (takesNoChecksum6 !== undefined) into.u8(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, Number(takesNoChecksum6));
  if (dontFragment !== undefined) into.u8(IFLA_VXLAN_DF, DONT_FRAGMENT.indexOf(dontFragment));
}

/** The parameters in an IFLA_INFO_DATA; the kernel leaves out what is not set. */
export function decodeVxlan(data: AttributeDecoder): VxlanTunnel {
  const found: { -readonly [Field in keyof VxlanTunnel]: VxlanTunnel[Field] } = {
    kind: "vxlan",
    vni: 0,
    port: 0,
    learning: false,
    ttl: 0,
    tos: 0,
    dontFragment: "unset",
    udpChecksum: false,
    omitsChecksum6: false,
    takesNoChecksum6: false,
    groupPolicy: false,
    external: false,
  };
  while (data.next()) {
    switch (data.type) {
      case IFLA_VXLAN_ID:
        found.vni = data.u32();
        break;
      case IFLA_VXLAN_GROUP:
      case IFLA_VXLAN_GROUP6:
        found.remoteIp = decodeIp(data, data.type === IFLA_VXLAN_GROUP ? 4 : 6);
        break;
      case IFLA_VXLAN_LINK:
        found.linkIndex = data.u32();
        break;
      case IFLA_VXLAN_LOCAL:
      case IFLA_VXLAN_LOCAL6:
        found.localIp = decodeIp(data, data.type === IFLA_VXLAN_LOCAL ? 4 : 6);
        break;
      case IFLA_VXLAN_TTL:
        found.ttl = data.u8();
        break;
      case IFLA_VXLAN_TOS:
        found.tos = data.u8();
        break;
      case IFLA_VXLAN_LEARNING:
        found.learning = data.u8() !== 0;
        break;
      case IFLA_VXLAN_PORT:
        found.port = data.u16be();
        break;
      case IFLA_VXLAN_UDP_CSUM:
        found.udpChecksum = data.u8() !== 0;
        break;
      case IFLA_VXLAN_UDP_ZERO_CSUM6_TX:
        found.omitsChecksum6 = data.u8() !== 0;
        break;
      case IFLA_VXLAN_UDP_ZERO_CSUM6_RX:
        found.takesNoChecksum6 = data.u8() !== 0;
        break;
      case IFLA_VXLAN_GBP:
        found.groupPolicy = true;
        break;
      case IFLA_VXLAN_COLLECT_METADATA:
        found.external = data.u8() !== 0;
        break;
      case IFLA_VXLAN_DF:
        found.dontFragment = DONT_FRAGMENT[data.u8()] ?? "unset";
        break;
    }
  }
  return found;
}
