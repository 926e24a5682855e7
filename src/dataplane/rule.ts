// SPDX-License-Identifier: Apache-2.0
import { type WantedRule, ruleKey } from "../desired/wanted.ts";
import { type Rule, addRule, deleteRule } from "./netlink/rule.ts";
import { DONE, type Plan } from "./plan.ts";
import { RTPROT_MARGAY } from "./route.ts";
import { ReconcileTable } from "./table.ts";

export type RuleTable = ReconcileTable<WantedRule, Rule>;

export function createRuleTable(): RuleTable {
  return new ReconcileTable(() => undefined);
}

/** Ownership: IPv4 rules with our protocol number (since Linux 4.17) that look at no source. `undefined` for all others, which are not ours to look at. */
export function seenRuleKey({ family, src, protocol, priority, table }: Rule): string | undefined {
  const isOurs = family === 4 && src === undefined && protocol === RTPROT_MARGAY;
  return isOurs ? ruleKey(priority, table) : undefined;
}

export function planRule(key: string, table: RuleTable): Plan<Rule> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [deleteRule(seen)] };
  const rule = ruleOf(wanted);
  if (seen === undefined) return { kind: "change", requests: [addRule(rule)], after: rule };
  const isRight = seen.fwmark === rule.fwmark && seen.fwmask === rule.fwmask && seen.invert;
  return isRight ? DONE : { kind: "change", requests: [deleteRule(seen), addRule(rule)], after: rule };
}

function ruleOf({ priority, table, exceptMark }: WantedRule): Rule {
  return {
    family: 4,
    priority,
    table,
    fwmark: exceptMark,
    fwmask: exceptMark,
    invert: true,
    protocol: RTPROT_MARGAY,
  };
}
