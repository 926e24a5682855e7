// SPDX-License-Identifier: Apache-2.0
import { type Cidr, hostCidr } from "../net/cidr.ts";
import type { BlockFacts } from "./facts.ts";

/** A destination and the node that holds it. */
export interface Holding {
  readonly dst: Cidr;
  readonly node: string;
}

/** Who holds what of a block. Only confirmed blocks count: a pending claim may still be lost to another node. */
export function holdingsOf(
  { cidr, node, strays }: BlockFacts,
  isConfirmed: (node: string, block: Cidr) => boolean,
): readonly Holding[] {
  const whole = node !== undefined && isConfirmed(node, cidr) ? [{ dst: cidr, node }] : [];
  return [...whole, ...strays.map((stray) => ({ dst: hostCidr(stray.ip), node: stray.node }))];
}
