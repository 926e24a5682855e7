// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Resource, clusterResource } from "./metadata.ts";
import { type Output, addConflict } from "./schema.ts";

const spec = z
  .strictObject({
    /** Nodes take addresses from their own blocks only. */
    strictAffinity: z.boolean().default(false),
    /** Blocks one node may hold per family; 0 stands for {@link DEFAULT_MAX_BLOCKS_PER_HOST}. */
    maxBlocksPerHost: z.int().min(0).default(0),
    /** Nodes take new blocks by themselves. */
    autoAllocateBlocks: z.boolean().default(true),
    /** For how long an address that was given back is not given out again; asked for by itself it is. */
    ipCooldownSeconds: z.int().min(0).max(1200).default(0),
    kubeVirtVMAddressPersistence: z.enum(["Enabled", "Disabled"]).exactOptional(),
  })
  .superRefine((config, context) => {
    if (!config.strictAffinity && !config.autoAllocateBlocks)
      addConflict(context, ["autoAllocateBlocks"], "it cannot be false unless strictAffinity is true");
    if (!config.strictAffinity && config.maxBlocksPerHost > 0)
      addConflict(context, ["maxBlocksPerHost"], "it cannot be set unless strictAffinity is true");
  });

/** What `maxBlocksPerHost: 0` means, as in Calico. */
export const DEFAULT_MAX_BLOCKS_PER_HOST = 20;

export type IPAMConfigSpec = Output<typeof spec>;
/** What holds where there is no IPAMConfig. */
export const IPAM_CONFIG_DEFAULTS: IPAMConfigSpec = spec.parse({});

/** How nodes take blocks and addresses; there is one, named `default`. */
export type IPAMConfig = Resource<"IPAMConfig", IPAMConfigSpec>;

export const ipamConfigSchema: z.ZodType<IPAMConfig> = clusterResource("IPAMConfig", spec);
