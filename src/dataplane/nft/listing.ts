// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { NftError } from "./nft-error.ts";
import { NFT_TABLE, type NftElement, type NftFrame } from "./statement.ts";

/** What stands in the kernel under our table's name. */
export interface NftListing {
  /** The table without its elements; `undefined` where it holds anything that is never made here. */
  readonly frame: NftFrame | undefined;
  readonly elements: readonly NftElement[];
}

// The objects of libnftables-json(5) that are made here. What of a field is made here is said exactly; fields that are not read may
// differ from one version of nft to the next.
const ofOurTable = { family: z.literal("ip"), table: z.literal(NFT_TABLE) };
const value = z.union([z.string(), z.int()]).transform(String);
const element = z.union([
  value,
  z.object({ elem: z.object({ val: value }) }).transform(({ elem }) => elem.val),
]);

const set = z
  .object({
    ...ofOurTable,
    name: z.string(),
    type: z.enum(["ipv4_addr", "inet_proto", "inet_service"]),
    flags: z.undefined().optional(),
    elem: z.array(element).default([]),
    stmt: z.tuple([z.strictObject({ counter: z.unknown() })]).optional(),
  })
  .transform(({ name, type, elem, stmt }) => ({
    object: { kind: "set" as const, name, type, counter: stmt !== undefined },
    elements: elem.map((text): NftElement => ({ kind: "element", set: name, value: text })),
  }));

const chain = z
  .object({
    ...ofOurTable,
    name: z.string(),
    type: z.literal("filter"),
    hook: z.literal("input"),
    prio: z.int(),
    policy: z.literal("accept"),
  })
  .transform(({ name, prio }) => ({
    object: { kind: "chain" as const, name, priority: prio },
    elements: [] as readonly NftElement[],
  }));

const field = z
  .strictObject({ payload: z.strictObject({ protocol: z.string(), field: z.string() }) })
  .transform(({ payload }) => `${payload.protocol} ${payload.field}`)
  .pipe(z.enum(["ip saddr", "ip protocol", "udp dport"]));
const match = z
  .strictObject({
    match: z.strictObject({ op: z.enum(["==", "!="]), left: field, right: z.string().startsWith("@") }),
  })
  .transform(({ match: { op, left, right } }) => ({ field: left, isIn: op === "==", set: right.slice(1) }));
const drop = z.strictObject({ drop: z.null() });

const rule = z
  .object({ ...ofOurTable, chain: z.string(), expr: z.tuple([match, match, drop]) })
  .transform(({ chain: name, expr: [first, second] }) => ({
    object: { kind: "rule" as const, chain: name, matches: [first, second] },
    elements: [] as readonly NftElement[],
  }));

/** `flags` would say that the table sleeps. */
const table = z
  .object({ family: z.literal("ip"), name: z.literal(NFT_TABLE), flags: z.undefined().optional() })
  .transform(() => undefined);

const object = z.union([
  z.strictObject({ metainfo: z.unknown() }).transform(() => undefined),
  z.strictObject({ table }).transform(() => undefined),
  z.strictObject({ set }).transform((item) => item.set),
  z.strictObject({ chain }).transform((item) => item.chain),
  z.strictObject({ rule }).transform((item) => item.rule),
]);

const listing = z.strictObject({ nftables: z.array(z.unknown()) });

/** Reads what `nft -j -n list table` prints. Throws {@link NftError}, `unreadable`, for what is no listing at all. */
export function parseListing(text: string): NftListing {
  const objects = parseObjects(text).map((item) => object.safeParse(item));
  const known = objects.flatMap(({ data }) => (data === undefined ? [] : [data]));
  return {
    frame: objects.every(({ success }) => success) ? known.map((item) => item.object) : undefined,
    elements: known.flatMap(({ elements }) => elements),
  };
}

function parseObjects(text: string): readonly unknown[] {
  try {
    return listing.parse(JSON.parse(text)).nftables;
  } catch (cause) {
    throw new NftError("unreadable", `Cannot read nftables table "${NFT_TABLE}": nft printed no listing`, {
      cause,
    });
  }
}
