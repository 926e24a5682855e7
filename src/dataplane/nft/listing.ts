// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { parseIpv6 } from "../../net/ipv6.ts";
import { NftError } from "./nft-error.ts";
import {
  type NftElement,
  type NftField,
  type NftFrame,
  type NftMatch,
  type NftTable,
  type NftType,
  type NftVerdict,
  nftTableName,
} from "./statement.ts";

/** What stands in the kernel under a table's name. */
export interface NftListing {
  /** The table without its elements; `undefined` where it holds anything that is never made here. */
  readonly frame: NftFrame | undefined;
  readonly elements: readonly NftElement[];
}

// The objects of libnftables-json(5) that are made here. What of a field is made here is said exactly; fields that are not read may
// differ from one version of nft to the next.
const NO_ELEMENTS: readonly NftElement[] = [];

const prefix = z
  .strictObject({ prefix: z.strictObject({ addr: z.string(), len: z.int() }) })
  .transform(({ prefix: { addr, len } }) => `${canonical(addr)}/${len}`);
const plain = z.union([z.string(), z.int()]).transform((value) => canonical(String(value)));
const concatenation = z
  .strictObject({ concat: z.tuple([z.string(), z.string()]) })
  .transform(({ concat: [ifName, ip] }) => `${ifName} . ${canonical(ip)}`);
const value = z.union([plain, prefix, concatenation]);
const element = z.union([
  value,
  z.object({ elem: z.object({ val: value }) }).transform(({ elem }) => elem.val),
]);

/** The C library writes some IPv6 addresses otherwise than RFC 5952 does. */
function canonical(text: string): string {
  return /^[0-9a-f:.]*:[0-9a-f:.]*$/.test(text) ? parseIpv6(text) : text;
}

const TYPES = {
  ipv4_addr: true,
  ipv6_addr: true,
  inet_proto: true,
  inet_service: true,
  "ifname . ipv4_addr": true,
  "ifname . ipv6_addr": true,
} as const satisfies Readonly<Record<NftType, true>>;
const FIELDS = {
  iifname: true,
  "ip saddr": true,
  "ip daddr": true,
  "ip protocol": true,
  "ip6 saddr": true,
  "ip6 daddr": true,
  "udp dport": true,
  "meta l4proto": true,
  "iifname . ip saddr": true,
  "iifname . ip6 saddr": true,
} as const satisfies Readonly<Record<NftField, true>>;

const set = z
  .object({
    name: z.string(),
    type: z
      .union([z.string(), z.array(z.string()).transform((parts) => parts.join(" . "))])
      .refine((type): type is NftType => type in TYPES),
    flags: z.tuple([z.literal("interval")]).optional(),
    elem: z.array(element).default([]),
    stmt: z.tuple([z.strictObject({ counter: z.unknown() })]).optional(),
  })
  .transform(({ name, type, flags, elem, stmt }) => ({
    object: {
      kind: "set" as const,
      name,
      type,
      counter: stmt !== undefined,
      interval: flags !== undefined,
    },
    elements: elem.map((text): NftElement => ({ kind: "element", set: name, value: text })),
  }));

const chain = z
  .object({
    name: z.string(),
    type: z.enum(["filter", "nat"]),
    hook: z.enum(["prerouting", "input", "postrouting"]),
    prio: z.int(),
    policy: z.literal("accept"),
  })
  .transform(({ name, type, hook, prio }) => ({
    object: { kind: "chain" as const, name, type, hook, priority: prio },
    elements: NO_ELEMENTS,
  }));

const payload = z
  .strictObject({ payload: z.strictObject({ protocol: z.string(), field: z.string() }) })
  .transform(({ payload: { protocol, field } }) => `${protocol} ${field}`);
const meta = z
  .strictObject({ meta: z.strictObject({ key: z.string() }) })
  .transform(({ meta: { key } }) => (key === "iifname" ? key : `meta ${key}`));
const one = z.union([payload, meta]);
const field = z
  .union([one, z.strictObject({ concat: z.array(one) }).transform(({ concat }) => concat.join(" . "))])
  .refine((text): text is NftField => text in FIELDS);

const match = z
  .strictObject({
    match: z.strictObject({ op: z.enum(["==", "!="]), left: field, right: z.union([plain, prefix]) }),
  })
  .transform(({ match: { op, left, right } }, context): NftMatch => {
    if (right.startsWith("@")) return { field: left, isIn: op === "==", set: right.slice(1) };
    if (op === "!=") context.addIssue({ code: "custom", message: "want a set" });
    return { field: left, value: right };
  });

const counter = z.strictObject({ counter: z.unknown() }).transform(() => "counter" as const);
const FULLY_RANDOM = z.union([z.literal("fully-random"), z.tuple([z.literal("fully-random")])]);
const range = z
  .strictObject({ range: z.tuple([z.int(), z.int()]) })
  .transform(({ range: ports }): readonly [number, number] => ports);
const verdict = z.union([
  z.strictObject({ drop: z.null() }).transform((): NftVerdict => ({ kind: "drop" })),
  z.strictObject({ accept: z.null() }).transform((): NftVerdict => ({ kind: "accept" })),
  z
    .strictObject({ masquerade: z.strictObject({ port: range.optional(), flags: FULLY_RANDOM }) })
    .transform(({ masquerade: { port } }): NftVerdict => ({
      kind: "translate",
      address: undefined,
      ports: port,
    })),
  z
    .strictObject({
      snat: z.strictObject({
        family: z.literal("ip"),
        addr: z.string(),
        port: range.optional(),
        flags: FULLY_RANDOM,
      }),
    })
    .transform(({ snat: { addr, port } }): NftVerdict => ({ kind: "translate", address: addr, ports: port })),
]);

const rule = z
  .object({
    chain: z.string(),
    expr: z.array(z.union([match, counter, verdict])).min(1),
  })
  .transform(({ chain: name, expr }, context) => {
    const last = expr.at(-1);
    const isCounting = expr.at(-2) === "counter";
    const matches = expr.slice(0, isCounting ? -2 : -1);
    if (last === undefined || last === "counter" || "field" in last || !matches.every(isMatch)) {
      context.addIssue({ code: "custom", message: "want matches, a counter perhaps, and a verdict" });
      return z.NEVER;
    }
    const object = { kind: "rule" as const, chain: name, matches, counter: isCounting, verdict: last };
    return { object, elements: NO_ELEMENTS };
  });

function isMatch(expression: NftMatch | NftVerdict | "counter"): expression is NftMatch {
  return expression !== "counter" && "field" in expression;
}

const listing = z.strictObject({ nftables: z.array(z.unknown()) });

/** `flags` would say that the table sleeps. nft lists nothing but the table that it was asked for. */
const table = z.object({ family: z.string(), name: z.string(), flags: z.undefined().optional() });
const object = z.union([
  z.strictObject({ metainfo: z.unknown() }).transform(() => undefined),
  z.strictObject({ table }).transform(() => undefined),
  z.strictObject({ set }).transform((item) => item.set),
  z.strictObject({ chain }).transform((item) => item.chain),
  z.strictObject({ rule }).transform((item) => item.rule),
]);

/** Reads what `nft -j -n list table` prints. Throws {@link NftError}, `unreadable`, for what is no listing at all. */
export function parseListing(of: NftTable, text: string): NftListing {
  const objects = parseObjects(of, text).map((item) => object.safeParse(item));
  const known = objects.flatMap(({ data }) => (data === undefined ? [] : [data]));
  return {
    frame: objects.every(({ success }) => success) ? known.map((item) => item.object) : undefined,
    elements: known.flatMap(({ elements }) => elements),
  };
}

function parseObjects(of: NftTable, text: string): readonly unknown[] {
  try {
    return listing.parse(JSON.parse(text)).nftables;
  } catch (cause) {
    const message = `Cannot read nftables table "${nftTableName(of)}": nft printed no listing`;
    throw new NftError("unreadable", message, { cause });
  }
}
