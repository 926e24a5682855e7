// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Cidr, parseCidr } from "../net/cidr.ts";
import { parseText } from "./ipam-block.ts";
import type { Parsed } from "./issue.ts";
import { cidrField } from "./schema.ts";

/**
 * Where the addresses of one holder are: in which blocks, and how many. It is written before the block when an address is
 * taken and after it when it is given back, so it may name too many, never too few.
 */
export interface IpamHandle {
  /** Addresses by block. */
  readonly block: Readonly<Record<Cidr, number>>;
  readonly deleted: boolean;
}

const schema = z.looseObject({
  block: z
    .record(cidrField, z.int().min(0))
    .nullish()
    .transform((blocks) => blocks ?? {}),
  deleted: z.boolean().default(false),
});

export function parseHandle(text: string): Parsed<IpamHandle> {
  return parseText(schema, text);
}

export function renderHandle(handle: IpamHandle): string {
  return JSON.stringify(handle);
}

/** The blocks that the handle names. */
export function handleBlocks(handle: IpamHandle): readonly Cidr[] {
  return Object.keys(handle.block).map(parseCidr);
}

/** The handle with the block's count changed by `by`; `undefined` where it names no block any more. */
export function countInHandle(
  handle: IpamHandle | undefined,
  cidr: Cidr,
  by: number,
): IpamHandle | undefined {
  return setInHandle(handle, cidr, (handle?.block[cidr] ?? 0) + by);
}

/** As {@link countInHandle}, with the new count. */
export function setInHandle(
  handle: IpamHandle | undefined,
  cidr: Cidr,
  count: number,
): IpamHandle | undefined {
  const others = Object.entries(handle?.block ?? {}).filter(([other]) => other !== cidr);
  const block = Object.fromEntries(count > 0 ? [...others, [cidr, count]] : others);
  return Object.keys(block).length === 0 ? undefined : { deleted: false, ...handle, block };
}
