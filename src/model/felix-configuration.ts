// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { NodeName } from "./name.ts";
import { type Resource, clusterResource } from "./metadata.ts";
import { type Output, ipv4Field, logSeverity, portField } from "./schema.ts";

/** Calico's: physical interfaces by the kernel's and systemd's naming, nothing virtual. */
const MTU_INTERFACES = "^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)";

/** A protocol number of the kernel's routing tables (linux/rtnetlink.h, `RTPROT_*`), below 4 is the kernel's own. */
const routeProtocol = z.int().min(0).max(255);
const pattern = z
  .string()
  .refine(isPattern, "want a regular expression")
  .meta({ title: "regular expression" });

/** Overrides the MTU, in octets; 0 computes it. IPv4 needs 68 (RFC 791 section 3.2), and its packets end at 65,535. */
const mtuField = z
  .int()
  .refine((mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), "want 0, or 68 to 65535")
  .meta({ title: "0, or 68 to 65535" })
  .exactOptional();

/** Calico's `numorstring.Port`: a number, or `first:last`. */
const portRangeField = z.union([
  portField,
  z
    .string()
    .refine(isPortRange, 'want a port, or a range of ports such as "32768:65535"')
    .meta({ title: "range of ports" }),
]);

function isPortRange(text: string): boolean {
  if (!/^\d{1,5}(:\d{1,5})?$/.test(text)) return false;
  const [first = 0, last = first] = text.split(":").map(Number);
  return first >= 1 && first <= last && last <= 65_535;
}

/** Nothing is filled in: what stands here for all nodes, or for one, says only what somebody has written, and the rest is for the next to say. */
const spec = z
  .strictObject({
    /**
     * Who writes the routes to other nodes' blocks: `Enabled` the agent, from the datastore; `Disabled` BIRD, from BGP.
     */
    programClusterRoutes: z.enum(["Enabled", "Disabled"]).exactOptional(),
    /** Interfaces whose smallest MTU is the underlay's. */
    mtuIfacePattern: pattern.exactOptional(),
    ipipMTU: mtuField,
    vxlanMTU: mtuField,
    vxlanMTUV6: mtuField,
    wireguardMTU: mtuField,
    vxlanVNI: z.int().min(1).max(16_777_215).exactOptional(),
    vxlanPort: portField.exactOptional(),
    /** Calico's list of `feature=true|false`, of which one feature is known here: whether checksums inside VXLAN come out wrong. */
    featureDetectOverride: z
      .string()
      .regex(/^(ChecksumOffloadBroken=(true|false))?$/, 'want "ChecksumOffloadBroken=true" or "…=false"')
      .exactOptional(),
    wireguardEnabled: z.boolean().exactOptional(),
    wireguardListeningPort: portField.exactOptional(),
    /** Remove routes of others on the nodes' ends of container links. */
    removeExternalRoutes: z.boolean().exactOptional(),
    deviceRouteProtocol: routeProtocol.exactOptional(),
    ipv4NormalRoutePriority: z.int().min(1).max(2_147_483_646).exactOptional(),
    /** Destinations that packets of `natOutgoing` pools keep their address for. */
    natOutgoingExclusions: z.enum(["IPPoolsOnly", "IPPoolsAndHostIPs"]).exactOptional(),
    /** The source address that translated IPv4 packets get. @default that of the interface that they leave by */
    natOutgoingAddress: ipv4Field.exactOptional(),
    /** The source ports that translated TCP and UDP packets get. @default whatever the kernel takes */
    natPortRange: portRangeField.exactOptional(),
    logSeverityScreen: logSeverity.exactOptional(),
  })
  .prefault({});

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

export type FelixConfigurationSpec = Output<typeof spec>;
/** What holds where nobody has written anything. */
const DEFAULTS = {
  programClusterRoutes: "Disabled",
  mtuIfacePattern: MTU_INTERFACES,
  ipipMTU: 0,
  vxlanMTU: 0,
  vxlanMTUV6: 0,
  wireguardMTU: 0,
  vxlanVNI: 4096,
  vxlanPort: 4789,
  featureDetectOverride: "",
  wireguardEnabled: false,
  wireguardListeningPort: 51_820,
  removeExternalRoutes: true,
  // RTPROT_BOOT
  deviceRouteProtocol: 3,
  ipv4NormalRoutePriority: 1024,
  natOutgoingExclusions: "IPPoolsOnly",
  logSeverityScreen: "Info",
} as const satisfies FelixConfigurationSpec;

/** What holds for a node, whoever has said it. */
export type EffectiveFelixSpec = FelixConfigurationSpec &
  Required<Pick<FelixConfigurationSpec, keyof typeof DEFAULTS>>;

/** As in Calico, each field is what the node's own resource says, or else the one for all nodes. */
export function effectiveFelixSpec(
  forAll: FelixConfiguration | undefined,
  forNode: FelixConfiguration | undefined,
): EffectiveFelixSpec {
  return { ...DEFAULTS, ...forAll?.spec, ...forNode?.spec };
}

/** The resource that is for one node. */
export function felixNameOf(node: NodeName): string {
  return `node.${node}`;
}

/** How agents work; `default` is for all, `node.<name>` for one node. */
export type FelixConfiguration = Resource<"FelixConfiguration", FelixConfigurationSpec>;

export const felixConfigurationSchema: z.ZodType<FelixConfiguration> = clusterResource(
  "FelixConfiguration",
  spec,
);
