// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { cidrFamily, prefixLengthOf } from "../net/cidr.ts";
import type { Family } from "../net/ip.ts";
import { type Resource, type WithStatus, clusterResourceWithStatus } from "./metadata.ts";
import { type Output, addConflict, cidrField, selectorField } from "./schema.ts";

/** Block sizes as prefix lengths; bounds and defaults are Calico's. */
const BLOCK_SIZE: Readonly<Record<Family, { least: number; most: number; usual: number }>> = {
  4: { least: 20, most: 32, usual: 26 },
  6: { least: 116, most: 128, usual: 122 },
};

const encapsulation = z.enum(["Never", "Always", "CrossSubnet"]).default("Never");

const fields = z.strictObject({
  cidr: cidrField,
  /** The prefix length of the blocks the pool is cut into; it cannot change later. @default 26, or 122 for IPv6 */
  blockSize: z.int().exactOptional(),
  ipipMode: encapsulation,
  vxlanMode: encapsulation,
  /** Masquerade packets that leave for an address in no pool. */
  natOutgoing: z.boolean().default(false),
  /** No new addresses are taken from the pool; those in use stay. */
  disabled: z.boolean().default(false),
  disableBGPExport: z.boolean().default(false),
  /** Nodes that may take blocks from the pool. */
  nodeSelector: selectorField.default("all()"),
  /** Namespaces whose containers are given addresses of the pool. */
  namespaceSelector: selectorField.exactOptional(),
  allowedUses: z.array(z.enum(["Workload", "Tunnel", "LoadBalancer"])).default(["Workload", "Tunnel"]),
  /** `Manual` pools serve only those who ask for them by name or address. */
  assignmentMode: z.enum(["Automatic", "Manual"]).default("Automatic"),
});

const spec = fields
  .superRefine((pool, context) => {
    const family = cidrFamily(pool.cidr);
    const { least, most } = BLOCK_SIZE[family];
    const size = blockSizeOf(pool);
    if (size < least || size > most) {
      context.addIssue({ code: "custom", path: ["blockSize"], message: `want ${least} to ${most}` });
    } else if (size < prefixLengthOf(pool.cidr)) {
      addConflict(context, ["blockSize"], `a block of /${size} is larger than the pool "${pool.cidr}"`);
    }
    if (pool.ipipMode !== "Never" && pool.vxlanMode !== "Never")
      addConflict(context, ["vxlanMode"], "a pool has one encapsulation: ipipMode is set too");
    if (pool.ipipMode !== "Never" && family === 6)
      addConflict(context, ["ipipMode"], "IPIP carries IPv4 only");
    if (pool.allowedUses.includes("LoadBalancer") && pool.allowedUses.length > 1)
      addConflict(context, ["allowedUses"], "LoadBalancer excludes the other uses");
  })
  .transform((pool) => ({ ...pool, blockSize: blockSizeOf(pool) }));

/** Calico's condition `Allocatable` and whatever else a controller reports. */
const status = z.looseObject({
  conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
});

function blockSizeOf(pool: z.output<typeof fields>): number {
  return pool.blockSize ?? BLOCK_SIZE[cidrFamily(pool.cidr)].usual;
}

export type IPPoolSpec = Output<typeof spec>;
/** A range of addresses for containers, cut into blocks that nodes take. */
export type IPPool = Resource<"IPPool", IPPoolSpec> & WithStatus<Output<typeof status>>;

export const ipPoolSchema: z.ZodType<IPPool> = clusterResourceWithStatus("IPPool", spec, status);
