// SPDX-License-Identifier: Apache-2.0
import { type BGPFilterRule, lengthsOf } from "../../model/bgp-filter.ts";
import { type Family } from "../../net/ip.ts";
import { type BirdFilter, type BirdInput, familiesOf } from "./input.ts";
import { quotePattern, suffix, symbolOf } from "./text.ts";

export type Direction = "import" | "export";

/** The filters as functions, which end the judgement where a rule matches, and else leave it to what comes behind. */
export function renderFilters(input: BirdInput): string {
  const { filters = [] } = input;
  return filters
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((filter) =>
      familiesOf(input).flatMap((family) =>
        (["import", "export"] as const).map((direction) => renderFilter(filter, direction, family).trim()),
      ),
    )
    .join("\n\n");
}

/** The call of the filter's function, as a statement. */
export function callFilter(
  name: string,
  direction: Direction,
  family: Family,
  { isInternal }: { readonly isInternal: boolean },
): string {
  return `${functionName(name, direction, family)}(${isInternal});`;
}

function functionName(name: string, direction: Direction, family: Family): string {
  return `${direction}${suffix(family)}_${symbolOf(name)}`;
}

function renderFilter({ name, spec }: BirdFilter, direction: Direction, family: Family): string {
  const rules = spec[`${direction}V${family}`];
  return `
function ${functionName(name, direction, family)}(bool is_internal) {
${rules.map((rule) => renderRule(rule, direction, family)).join("")}}
`;
}

function renderRule(rule: BGPFilterRule, direction: Direction, family: Family): string {
  const conditions = conditionsOf(rule, family);
  const operations = (rule.operations ?? []).flatMap((operation) => renderOperation(operation, direction));
  const statements = [...operations, `${rule.action.toLowerCase()};`];
  if (conditions.length === 0) return statements.map((statement) => `  ${statement}\n`).join("");
  return `  if ${conditions.join(" && ")} then { ${statements.join(" ")} }\n`;
}

function conditionsOf(rule: BGPFilterRule, family: Family): readonly string[] {
  const { source, interface: ifName, peerType, communities, asPathPrefix, priority } = rule;
  return [
    ...(peerType === undefined ? [] : [peerType === "iBGP" ? "is_internal" : "!is_internal"]),
    ...matchOf(rule, family),
    ...(source === undefined ? [] : ["source = RTS_BGP"]),
    ...(ifName === undefined ? [] : [`defined(ifname) && ifname ~ ${quotePattern(ifName)}`]),
    ...(communities?.values ?? []).map((value) => `${tuple(value)} ~ ${attributeOf(value)}`),
    ...(asPathPrefix === undefined ? [] : [`bgp_path ~ [= ${asPathPrefix.join(" ")} * =]`]),
    ...(priority === undefined ? [] : [hasPriority(priority)]),
  ];
}

/**
 * A metric is the kernel's, and BGP carries none: among routers of one system the local preference stands for it, as in Calico
 * (confd's templates, `bgp_local_pref = 2147483647 - krt_metric`), until a filter on import has set one.
 */
const HIGHEST_PREFERENCE = 2_147_483_647;

function hasPriority(metric: number): string {
  const isTold = `defined(bgp_local_pref) && bgp_local_pref = ${HIGHEST_PREFERENCE - metric}`;
  return `(defined(krt_metric) && krt_metric = ${metric} || !defined(krt_metric) && ${isTold})`;
}

function matchOf(rule: BGPFilterRule, family: Family): readonly string[] {
  const { cidr, matchOperator } = rule;
  if (cidr === undefined || matchOperator === undefined) return [];
  const { min, max } = lengthsOf(rule, family);
  switch (matchOperator) {
    case "Equal":
      return [`net = ${cidr}`];
    case "NotEqual":
      return [`net != ${cidr}`];
    case "In":
      return [`net ~ [ ${cidr}{${min},${max}} ]`];
    case "NotIn":
      return [`net !~ [ ${cidr}{${min},${max}} ]`];
  }
}

function renderOperation(
  operation: NonNullable<BGPFilterRule["operations"]>[number],
  direction: Direction,
): readonly string[] {
  if ("addCommunity" in operation) return [addCommunity(operation.addCommunity.value)];
  if ("setPriority" in operation) return [setPriority(operation.setPriority.value, direction)];
  // Each goes in front of what is there: the first of the list comes last.
  return operation.prependASPath.prefix.toReversed().map((asNumber) => `bgp_path.prepend(${asNumber});`);
}

function setPriority(metric: number, direction: Direction): string {
  return direction === "import"
    ? `krt_metric = ${metric};`
    : `if is_internal then bgp_local_pref = ${HIGHEST_PREFERENCE - metric};`;
}

/** Whether a filter says by which metric routes go to the kernel. */
export function setsPriority({ filters = [] }: BirdInput): boolean {
  const rules = filters.flatMap(({ spec }) => [...spec.importV4, ...spec.importV6]);
  return rules.some(({ operations = [] }) => operations.some((operation) => "setPriority" in operation));
}

/** The statement that adds the community, of whichever kind it is. */
export function addCommunity(value: string): string {
  return `${attributeOf(value)}.add(${tuple(value)});`;
}

function attributeOf(value: string): string {
  return value.split(":").length === 2 ? "bgp_community" : "bgp_large_community";
}

function tuple(value: string): string {
  if (!/^\d+(:\d+){1,2}$/.test(value))
    throw new SyntaxError(`Cannot use community "${value}": want aa:nn or aa:nn:mm`);
  return `(${value.split(":").join(", ")})`;
}
