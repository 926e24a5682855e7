// SPDX-License-Identifier: Apache-2.0
// What routes are: pools, own ones, and which go to the kernel.
import { type Cidr, cidrAddress, cidrFamily } from "../../net/cidr.ts";
import { type Family, familyOf } from "../../net/ip.ts";
import type { Ipv4 } from "../../net/ipv4.ts";
import { addCommunity, setsPriority } from "./filter.ts";
import { type BirdInput, type TunnelledPool, familiesOf } from "./input.ts";
import { compare, quote, quotePattern, renderMatch, sortCidrs, suffix } from "./text.ts";

export function renderPools(input: BirdInput): string {
  return familiesOf(input)
    .map((family) => renderFamilyPools(input, family).trim())
    .join("\n\n");
}

function renderFamilyPools(input: BirdInput, family: Family): string {
  const { poolCidrs, originated } = input;
  const comment =
    family === 4
      ? "# Exactly these: another node may borrow an address out of a block of this one, and then announces it.\n"
      : "";
  return `
function in_pools${suffix(family)}() {
  return ${renderMatch(sortCidrs(poolCidrs, family).map((cidr) => `${cidr}+`))};
}

${comment}function is_own${suffix(family)}() {
  return ${renderMatch(sortCidrs(originated, family))};
}
${renderCommunities(input, family)}`;
}

/** Whether anything of the family is announced with communities. */
export function hasCommunities({ prefixAdvertisements = [] }: BirdInput, family: Family): boolean {
  return prefixAdvertisements.some(
    ({ cidr, communities }) => cidrFamily(cidr) === family && communities.length > 0,
  );
}

function renderCommunities(input: BirdInput, family: Family): string {
  if (!hasCommunities(input, family)) return "";
  const { prefixAdvertisements = [] } = input;
  const lines = sortCidrs(
    prefixAdvertisements.map(({ cidr }) => cidr),
    family,
  ).flatMap((cidr) => {
    const own = prefixAdvertisements.filter((other) => other.cidr === cidr);
    const values = [...new Set(own.flatMap(({ communities }) => communities))].sort();
    return values.map((value) => `  if net ~ [ ${cidr}+ ] then ${addCommunity(value)}\n`);
  });
  return `
function add_communities${suffix(family)}() {
${lines.join("")}}
`;
}

/** Next hops are looked up among the prefixes of the node's links; none is behind a container's. */
export function renderInterfaces(input: BirdInput): string {
  const { ignoredInterfaces = [] } = input;
  const ignored = ["cali*", ...ignoredInterfaces].map((pattern) => `-${quotePattern(pattern)}`);
  return `
# Netlink tells of links and addresses at once; the scan is for what it lost.
protocol device {
  scan time 60;
}

protocol direct {
${familiesOf(input)
  .map((family) => `  ipv${family};\n`)
  .join("")}  interface ${[...new Set(ignored)].join(", ")}, "*";
}
`;
}

export function renderOwn(input: BirdInput): string {
  return `
# To be announced only: the kernel gets its blackhole routes from Margay, whatever the source of routes.
${familiesOf(input)
  .map((family) => renderStatic(`own${suffix(family)}`, family, ownRoutes(input, family)))
  .join("\n")}${renderReach(input)}`;
}

function ownRoutes({ originated }: BirdInput, family: Family): readonly string[] {
  return sortCidrs(originated, family).map((cidr) => `${cidr} blackhole`);
}

/** The ways to peers that are behind a gateway, for the kernel too. */
function renderReach(input: BirdInput): string {
  return familiesOf(input)
    .flatMap((family) => {
      const routes = reachedBy(input, family);
      return routes.length === 0 ? [] : [`\n${renderStatic(`reach${suffix(family)}`, family, routes)}`];
    })
    .join("");
}

function reachedBy({ sessions = [] }: BirdInput, family: Family): readonly string[] {
  return sessions
    .filter(({ address }) => familyOf(address) === family)
    .toSorted((a, b) => compare(a.address, b.address))
    .flatMap(({ address, reachableBy }) =>
      reachableBy === undefined ? [] : [`${address}/${family === 4 ? 32 : 128} via ${reachableBy}`],
    );
}

function renderStatic(name: string, family: Family, routes: readonly string[]): string {
  return `protocol static ${name} {
  ipv${family};
${routes.map((route) => `  route ${route};\n`).join("")}}
`;
}

export function renderKernel(input: BirdInput): string {
  return familiesOf(input)
    .map((family) => renderFamilyKernel(input, family).trim())
    .join("\n\n");
}

function renderFamilyKernel(input: BirdInput, family: Family): string {
  const toKernel = renderToKernel(input, family);
  const comment =
    family === 4
      ? "# The scan puts back what others removed. It reads the whole table, so it is rare: what BIRD learns goes to the kernel at once.\n"
      : "";
  return `${toKernel.filter}
${comment}protocol kernel${family === 4 ? "" : " kernel6"} {
  scan time 60;
  persist;
  graceful restart;
  merge paths;
${setsPriority(input) ? "  metric 0;\n" : ""}  ipv${family} {
    import none;
    export ${toKernel.name};
  };
}
`;
}

/** Its own metric, where no filter sets one. */
const KERNEL_METRIC = 32;

/** What goes to the kernel, and how: a filter only where routes need one. */
function renderToKernel(input: BirdInput, family: Family): { filter: string; name: string } {
  const { programKernel, tunnelled = [] } = input;
  if (!programKernel) return { filter: "", name: "none" };
  const pools =
    family === 4 ? tunnelled.filter(({ through, without }) => through.length + without.length > 0) : [];
  const learnt = learntOf(input, family);
  if (pools.length === 0 && !setsPriority(input)) return { filter: "", name: `where ${learnt}` };
  const filter = `
filter to_kernel${suffix(family)} {
  if !(${learnt}) then reject;
${setsPriority(input) ? `  if !defined(krt_metric) then krt_metric = ${KERNEL_METRIC};\n` : ""}${pools
    .toSorted((a, b) => compare(cidrAddress(a.cidr), cidrAddress(b.cidr)))
    .map(renderTunnelledPool)
    .join("")}  accept;
}
`;
  return { filter, name: `filter to_kernel${suffix(family)}` };
}

/** What peers have told, in pools and, of routers outside the cluster, elsewhere; and the ways to such routers. */
function learntOf(input: BirdInput, family: Family): string {
  const { sessions = [] } = input;
  const all = `in_pools${suffix(family)}()`;
  const inPools = renderKernelMatch(input, family);
  const hasOutside = sessions.some(({ node, address }) => node === undefined && familyOf(address) === family);
  const outside = inPools === all ? "" : ` && (!${all} || ${inPools})`;
  const learnt = `source = RTS_BGP${hasOutside ? outside : ` && ${inPools}`}`;
  return reachedBy(input, family).length === 0 ? learnt : `proto = "reach${suffix(family)}" || ${learnt}`;
}

/** All pools, as a rule. */
function renderKernelMatch({ poolCidrs, kernelCidrs = poolCidrs }: BirdInput, family: Family): string {
  const [all, some] = [sortCidrs(poolCidrs, family), sortCidrs(kernelCidrs, family)];
  if (String(all) === String(some)) return `in_pools${suffix(family)}()`;
  return some.length === 0 ? "false" : `net ~ [ ${some.map((cidr: Cidr) => `${cidr}+`).join(", ")} ]`;
}

function renderTunnelledPool({ cidr, ifName, through, without }: TunnelledPool): string {
  // In this order: the gateway is looked for on the interface, and taken for granted there.
  const enter = `{ onlink = true; ifname = ${quote(ifName)}; gw = bgp_next_hop; accept; }`;
  const when = (nextHops: readonly Ipv4[], action: string): string =>
    nextHops.length === 0
      ? ""
      : `    if bgp_next_hop ~ [ ${nextHops.toSorted(compare).join(", ")} ] then ${action}\n`;
  return `  if net ~ [ ${cidr}+ ] then {\n${when(through, enter)}${when(without, "reject;")}  }\n`;
}
