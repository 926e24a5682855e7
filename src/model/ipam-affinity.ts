// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { parseText } from "./ipam-block.ts";
import type { Parsed } from "./issue.ts";

/**
 * A node's claim to a block. `pending`: the block is about to be made; `confirmed`: the block is the node's;
 * `pendingDeletion`: the node is about to let go of it. Everyone but the node itself treats what is not confirmed as absent.
 */
export interface BlockAffinity {
  readonly state: "pending" | "confirmed" | "pendingDeletion";
  readonly deleted: boolean;
}

const schema = z.looseObject({
  state: z.enum(["pending", "confirmed", "pendingDeletion"]),
  deleted: z.boolean().default(false),
});

export function parseAffinity(text: string): Parsed<BlockAffinity> {
  return parseText(schema, text);
}

export function renderAffinity(affinity: BlockAffinity): string {
  return JSON.stringify(affinity);
}
