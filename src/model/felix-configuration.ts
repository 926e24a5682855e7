// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Resource, clusterResource } from "./metadata.ts";
import { type Output, ipv4Field, logSeverityField, portField } from "./schema.ts";

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
  .default(0);

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

const spec = z
  .strictObject({
    /**
     * Who writes the routes to other nodes' blocks: `Enabled` the agent, from the datastore; `Disabled` BIRD, from BGP.
     */
    programClusterRoutes: z.enum(["Enabled", "Disabled"]).default("Disabled"),
    /** Interfaces whose smallest MTU is the underlay's. */
    mtuIfacePattern: pattern.default(MTU_INTERFACES),
    ipipMTU: mtuField,
    vxlanMTU: mtuField,
    vxlanMTUV6: mtuField,
    wireguardMTU: mtuField,
    vxlanVNI: z.int().min(1).max(16_777_215).default(4096),
    vxlanPort: portField.default(4789),
    /** Calico's list of `feature=true|false`, of which one feature is known here: whether checksums inside VXLAN come out wrong. */
    featureDetectOverride: z
      .string()
      .regex(/^(ChecksumOffloadBroken=(true|false))?$/, 'want "ChecksumOffloadBroken=true" or "…=false"')
      .default(""),
    wireguardEnabled: z.boolean().default(false),
    wireguardListeningPort: portField.default(51_820),
    /** Remove routes of others on the nodes' ends of container links. */
    removeExternalRoutes: z.boolean().default(true),
    /** 3 is `RTPROT_BOOT`. */
    deviceRouteProtocol: routeProtocol.default(3),
    ipv4NormalRoutePriority: z.int().min(1).max(2_147_483_646).default(1024),
    /** Destinations that packets of `natOutgoing` pools keep their address for. */
    natOutgoingExclusions: z.enum(["IPPoolsOnly", "IPPoolsAndHostIPs"]).default("IPPoolsOnly"),
    /** The source address that translated IPv4 packets get. @default that of the interface that they leave by */
    natOutgoingAddress: ipv4Field.exactOptional(),
    /** The source ports that translated TCP and UDP packets get. @default whatever the kernel takes */
    natPortRange: portRangeField.exactOptional(),
    logSeverityScreen: logSeverityField,
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
/** How agents work; the one named `default` counts. Calico has `node.<name>` for single nodes as well. */
export type FelixConfiguration = Resource<"FelixConfiguration", FelixConfigurationSpec>;

export const felixConfigurationSchema: z.ZodType<FelixConfiguration> = clusterResource(
  "FelixConfiguration",
  spec,
);
