// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Resource, clusterResource } from "./metadata.ts";
import {
  type Output,
  asNumberField,
  cidrField,
  communityField,
  interfacePatternField,
  ipField,
  logSeverityField,
  portField,
  restartTimeField,
  secretRefField,
} from "./schema.ts";

const cidrs = z.array(z.strictObject({ cidr: cidrField })).exactOptional();
const routePriority = z.int().min(1).max(2_147_483_646).exactOptional();

const spec = z
  .strictObject({
    asNumber: asNumberField.default(64_512),
    nodeToNodeMeshEnabled: z.boolean().default(true),
    logSeverityScreen: logSeverityField,
    listenPort: portField.default(179),
    bindMode: z.enum(["None", "NodeIP"]).exactOptional(),
    ignoredInterfaces: z.array(interfacePatternField).exactOptional(),
    nodeMeshMaxRestartTime: restartTimeField.exactOptional(),
    nodeMeshPassword: z.strictObject({ secretKeyRef: secretRefField }).exactOptional(),
    serviceClusterIPs: cidrs,
    serviceExternalIPs: cidrs,
    serviceLoadBalancerIPs: cidrs,
    serviceLoadBalancerAggregation: z.enum(["Enabled", "Disabled"]).exactOptional(),
    communities: z.array(z.strictObject({ name: z.string().min(1), value: communityField })).exactOptional(),
    prefixAdvertisements: z
      .array(z.strictObject({ cidr: cidrField, communities: z.array(z.string().min(1)).default([]) }))
      .exactOptional(),
    localWorkloadPeeringIPV4: ipField.exactOptional(),
    localWorkloadPeeringIPV6: ipField.exactOptional(),
    /** Whether BIRD writes the routes to other nodes' blocks; the counterpart of Felix's field. */
    programClusterRoutes: z.enum(["Enabled", "Disabled"]).exactOptional(),
    ipv4NormalRoutePriority: routePriority,
    ipv6NormalRoutePriority: routePriority,
  })
  .prefault({});

export type BGPConfigurationSpec = Output<typeof spec>;
/** How BGP runs in the cluster; the one named `default` counts. */
export type BGPConfiguration = Resource<"BGPConfiguration", BGPConfigurationSpec>;

export const bgpConfigurationSchema: z.ZodType<BGPConfiguration> = clusterResource("BGPConfiguration", spec);
