// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { parseWireguardPublicKey } from "../net/wireguard-key.ts";
import { type Resource, type WithStatus, clusterResourceWithStatus } from "./metadata.ts";
import {
  type Output,
  asNumberField,
  ipField,
  ipv4Field,
  ipv6Field,
  ipv4InterfaceField,
  ipv6InterfaceField,
  macField,
  textField,
} from "./schema.ts";

const bgp = z.strictObject({
  /** The node's address with the length of its underlay network, `192.168.0.101/24`. */
  ipv4Address: ipv4InterfaceField.exactOptional(),
  ipv6Address: ipv6InterfaceField.exactOptional(),
  /** Without it the cluster's number counts. */
  asNumber: asNumberField.exactOptional(),
  ipv4IPIPTunnelAddr: ipv4Field.exactOptional(),
  /** Makes the node a route reflector; written like an IPv4 address (RFC 4456 section 7). */
  routeReflectorClusterID: ipv4Field.exactOptional(),
});

const spec = z
  .strictObject({
    bgp: bgp.exactOptional(),
    orchRefs: z
      .array(z.strictObject({ nodeName: z.string().exactOptional(), orchestrator: z.string() }))
      .exactOptional(),
    addresses: z
      .array(
        z.strictObject({
          address: z.string(),
          type: z.enum(["CalicoNodeIP", "InternalIP", "ExternalIP"]).exactOptional(),
        }),
      )
      .exactOptional(),
    ipv4VXLANTunnelAddr: ipv4Field.exactOptional(),
    ipv6VXLANTunnelAddr: ipv6Field.exactOptional(),
    vxlanTunnelMACAddr: macField.exactOptional(),
    vxlanTunnelMACAddrV6: macField.exactOptional(),
    wireguard: z
      .strictObject({
        interfaceIPv4Address: ipv4Field.exactOptional(),
        interfaceIPv6Address: ipField.exactOptional(),
      })
      .exactOptional(),
  })
  .prefault({});

/** What the node reports about itself. */
const status = z.looseObject({
  wireguardPublicKey: textField(parseWireguardPublicKey).meta({ title: "WireGuard key" }).exactOptional(),
  wireguardPublicKeyV6: z.string().exactOptional(),
  podCIDRs: z.array(z.string()).exactOptional(),
});

export type NodeSpec = Output<typeof spec>;
/** A machine that runs containers. */
export type Node = Resource<"Node", NodeSpec> & WithStatus<Output<typeof status>>;

export const nodeSchema: z.ZodType<Node> = clusterResourceWithStatus("Node", spec, status);
