// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Cidr, cidrSize } from "../net/cidr.ts";
import { parseExactJson, renderExactJson } from "./exact-json.ts";
import { type Parsed, parseWith } from "./issue.ts";
import { cidrField } from "./schema.ts";

/** Who holds an address: the handle, the unit of release, and what is known about the holder. */
export interface AllocationAttribute {
  readonly handle_id: string | null;
  readonly secondary: Readonly<Record<string, string>>;
  /** RFC 3339: nobody holds the address since then, and it cools down before it is given out again (Calico's `ipCooldownSeconds`). */
  readonly releasedAt?: string;
}

/**
 * A block of addresses as Calico writes it (libcalico-go/lib/backend/model/block.go). Fields that are not named here stay
 * in the value, so that a block of a newer Calico loses nothing by being rewritten.
 */
export interface IpamBlock {
  readonly cidr: Cidr;
  /** `host:<node>`, `virtual:<name>`, or `null` once its node has let go of it. */
  readonly affinity: string | null;
  /** For each address of the block, in order, an index into `attributes`; `null` where it is free. */
  readonly allocations: readonly (number | null)[];
  /** The free addresses by their place in the block, the one to use next first. */
  readonly unallocated: readonly number[];
  readonly attributes: readonly AllocationAttribute[];
  /** Raised by every write; 64 bits, so more than a JavaScript number can tell apart. */
  readonly sequenceNumber: bigint;
  /** By the address's place in the block, the sequence number at which it was taken. */
  readonly sequenceNumberForAllocation: Readonly<Record<string, bigint>>;
  /** RFC 3339; since when the block has its affinity. */
  readonly affinityClaimTime?: string | null;
  readonly deleted: boolean;
}

/** No real block is larger: a /20, or a /116. */
const MAX_SIZE = 4096n;

const place = z.int().min(0);
const sequence = z.union([z.int().min(0), z.bigint().min(0n)]).transform(BigInt);
/** Go writes `null` for a slice or map that was never filled. */
const attribute = z.looseObject({
  handle_id: z.string().nullable().default(null),
  secondary: z
    .record(z.string(), z.string())
    .nullish()
    .transform((map) => map ?? {}),
  releasedAt: z.iso.datetime({ offset: true }).exactOptional(),
});

const schema = z
  .looseObject({
    cidr: cidrField,
    affinity: z.string().nullable().default(null),
    allocations: z.array(place.nullable()),
    unallocated: z
      .array(place)
      .nullish()
      .transform((list) => list ?? []),
    attributes: z
      .array(attribute)
      .nullish()
      .transform((list) => list ?? []),
    sequenceNumber: sequence.default(0n),
    sequenceNumberForAllocation: z
      .record(z.string(), sequence)
      .nullish()
      .transform((map) => map ?? {}),
    affinityClaimTime: z.string().nullable().exactOptional(),
    deleted: z.boolean().default(false),
  })
  .superRefine((block, context) => {
    for (const message of faultsOf(block)) context.addIssue({ code: "custom", path: [], message });
  });

/** Parses the stored text of a block, and checks that its lists agree: one that is wrong could give an address twice. */
export function parseBlock(text: string): Parsed<IpamBlock> {
  return parseText(schema, text);
}

export function renderBlock(block: IpamBlock): string {
  return renderExactJson(block);
}

/** Parses a stored text by the schema; text that is no JSON is an issue like any other. */
export function parseText<T>(type: z.ZodType<T>, text: string): Parsed<T> {
  try {
    return parseWith(type, parseExactJson(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return {
      kind: "invalid",
      issues: [{ code: "wrong-type", path: "", message: `not JSON: ${error.message}` }],
    };
  }
}

function* faultsOf(block: IpamBlock): Iterable<string> {
  const size = cidrSize(block.cidr);
  if (size > MAX_SIZE) yield `a block of ${size} addresses is larger than any`;
  if (BigInt(block.allocations.length) !== size)
    yield `allocations has ${block.allocations.length} entries, want ${size}`;
  if (block.allocations.some((index) => index !== null && index >= block.attributes.length))
    yield "an allocation has no attributes";
  if (new Set(block.unallocated).size !== block.unallocated.length)
    yield "an address is listed as free twice";
  if (block.unallocated.some((ordinal) => block.allocations[ordinal] !== null))
    yield "an address is listed as free, but is allocated or outside";
}
