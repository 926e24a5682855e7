// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { cidrFamily, prefixLengthOf } from "../net/cidr.ts";
import type { Family } from "../net/ip.ts";
import { type Resource, clusterResource } from "./metadata.ts";
import {
  type Output,
  addConflict,
  asNumberField,
  cidrField,
  communityField,
  interfacePatternField,
} from "./schema.ts";

/** The metric of a route. */
const priority = z.int().min(1).max(2_147_483_646);

/** Exactly one of them. */
const operation = z.union([
  z.strictObject({ addCommunity: z.strictObject({ value: communityField }) }),
  z.strictObject({ prependASPath: z.strictObject({ prefix: z.array(asNumberField).min(1).max(10) }) }),
  z.strictObject({ setPriority: z.strictObject({ value: priority }) }),
]);

const fields = z.strictObject({
  cidr: cidrField.exactOptional(),
  matchOperator: z.enum(["Equal", "NotEqual", "In", "NotIn"]).exactOptional(),
  prefixLength: z
    .strictObject({
      min: z.int().min(0).max(128).exactOptional(),
      max: z.int().min(0).max(128).exactOptional(),
    })
    .exactOptional(),
  source: z.enum(["RemotePeers"]).exactOptional(),
  interface: interfacePatternField.exactOptional(),
  peerType: z.enum(["eBGP", "iBGP"]).exactOptional(),
  communities: z.strictObject({ values: z.array(communityField).length(1) }).exactOptional(),
  asPathPrefix: z.array(asNumberField).min(1).exactOptional(),
  priority: priority.exactOptional(),
  action: z.enum(["Accept", "Reject"]),
  operations: z.array(operation).exactOptional(),
});

function rulesOf(family: Family) {
  const rule = fields.superRefine((written, context) => {
    const { cidr, matchOperator, prefixLength, action, operations } = written;
    if ((cidr === undefined) !== (matchOperator === undefined))
      addConflict(context, ["matchOperator"], "cidr and matchOperator come together");
    if (cidr !== undefined && cidrFamily(cidr) !== family)
      addConflict(context, ["cidr"], `"${cidr}" is not IPv${family}`);
    if (prefixLength !== undefined && cidr === undefined)
      addConflict(context, ["prefixLength"], "it needs a cidr");
    const { min, max } = lengthsOf(written, family);
    if (cidr !== undefined && (min < prefixLengthOf(cidr) || max < min || max > widthOf(family)))
      addConflict(context, ["prefixLength"], `want lengths from that of "${cidr}" to ${widthOf(family)}`);
    if (operations !== undefined && action === "Reject")
      addConflict(context, ["operations"], "a route that is rejected is not changed");
  });
  return z.array(rule.meta({ title: "rule" })).default([]);
}

/** The lengths that the rule is for, both included. */
export function lengthsOf(
  { cidr, prefixLength = {} }: Pick<BGPFilterRule, "cidr" | "prefixLength">,
  family: Family,
): { readonly min: number; readonly max: number } {
  return {
    min: prefixLength.min ?? (cidr === undefined ? 0 : prefixLengthOf(cidr)),
    max: prefixLength.max ?? widthOf(family),
  };
}

function widthOf(family: Family): number {
  return family === 4 ? 32 : 128;
}

const spec = z
  .strictObject({
    exportV4: rulesOf(4),
    importV4: rulesOf(4),
    exportV6: rulesOf(6),
    importV6: rulesOf(6),
  })
  .prefault({});

export type BGPFilterRule = Output<typeof fields>;
export type BGPFilterSpec = Output<typeof spec>;
/** Rules that say what peers are told and believed: the first that matches decides; what none matches is judged as without the filter. */
export type BGPFilter = Resource<"BGPFilter", BGPFilterSpec>;

export const bgpFilterSchema: z.ZodType<BGPFilter> = clusterResource("BGPFilter", spec);
