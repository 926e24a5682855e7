// SPDX-License-Identifier: Apache-2.0
import { ADDRESS_LABEL } from "../../dataplane/address.ts";
import type { LinkAddress } from "../../dataplane/netlink/address.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import { type KernelRoute, RT_SCOPE_LINK, type RouteLookup } from "../../dataplane/netlink/route.ts";
import {
  type DetectionMethod,
  interfaceExpression,
  renderAddressSetting,
} from "../../model/address-setting.ts";
import { type Cidr, DEFAULT_ROUTES, LINK_LOCAL, cidrContainsIp, parseCidr } from "../../net/cidr.ts";
import { type Family, type Ip, familyOf } from "../../net/ip.ts";
import { isOwnInterface, ownerByName } from "./foreign-interface.ts";
import { type Candidate, type DefaultRoute, compareCandidates, rankCandidates } from "./ranking.ts";

/** What the kernel has, as it was listed. */
export interface NetworkState {
  /** Of the address that is looked for. */
  readonly family: Family;
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  /** Of the family, in the main table. */
  readonly routes: readonly KernelRoute[];
  /** The way to the address of `can-reach`; absent where there is none. */
  readonly way?: RouteLookup | undefined;
}

/** An address that was not chosen. */
export interface PassedOver {
  /** `172.17.0.1/16` */
  readonly address: string;
  readonly interface: string;
  /** `docker0 is Docker's, by its name` */
  readonly reason: string;
}

export interface FoundAddress {
  readonly ip: Ip;
  /** With the length that it has on its interface, `192.168.0.101/24`. */
  readonly address: string;
  readonly interface: string;
  /** `first-found: eth0 has the default route` */
  readonly reason: string;
}

export interface Detection {
  readonly family: Family;
  readonly found: FoundAddress | undefined;
  /** In the order in which they would have been taken, those that never would come last. */
  readonly passedOver: readonly PassedOver[];
}

/** Chooses the node's address; the same state gives the same address. */
export function detectAddress(method: DetectionMethod, state: NetworkState): Detection {
  const candidates = candidatesOf(state).map((candidate) => ({
    candidate,
    fault: faultOf(method, candidate, state),
  }));
  const [winner, ...losers] = rankCandidates(
    candidates.flatMap(({ candidate, fault }) => (fault === undefined ? [candidate] : [])),
  );
  const excluded = candidates.flatMap(({ candidate, fault }) =>
    fault === undefined ? [] : [passedOver(candidate, fault)],
  );
  const { family } = state;
  if (winner === undefined) return { family, found: undefined, passedOver: excluded };
  return {
    family,
    found: {
      ip: winner.ip,
      address: winner.address,
      interface: winner.link.name,
      reason: `${renderAddressSetting(method)}: ${reasonOf(method, winner, losers)}`,
    },
    passedOver: [
      ...losers.map((loser) => passedOver(loser, compareCandidates(winner, loser).against)),
      ...excluded,
    ],
  };
}

/** Why no address was found, in words. */
export function describeNone(method: DetectionMethod, { family, passedOver }: Detection): string {
  const others = passedOver.map(({ address, interface: name, reason }) => `${address} on ${name}: ${reason}`);
  const found = others.length === 0 ? `no interface has an IPv${family} address` : others.join("; ");
  return `${renderAddressSetting(method)} finds none (${found})`;
}

function passedOver({ address, link }: Candidate, reason: string): PassedOver {
  return { address, interface: link.name, reason };
}

function candidatesOf({ family, links, addresses, routes }: NetworkState): readonly Candidate[] {
  const byIndex = new Map(links.map((link) => [link.index, link]));
  const defaults = routes.filter(({ dst, type }) => dst === DEFAULT_ROUTES[family] && type === "unicast");
  return addresses.flatMap((linkAddress, place) => {
    const { ip, ifIndex, prefixLength } = linkAddress;
    const link = byIndex.get(ifIndex);
    if (link === undefined || familyOf(ip) !== family || cidrContainsIp(LOCALHOST[family], ip)) return [];
    const defaultRoute = bestDefault(defaults, ifIndex);
    return [{ link, linkAddress, ip, address: `${ip}/${prefixLength}`, defaultRoute, place }];
  });
}

function bestDefault(defaults: readonly KernelRoute[], ifIndex: number): DefaultRoute | undefined {
  const ways = defaults.flatMap(({ metric, prefSrc, nextHops, ...route }) => {
    const hops = nextHops ?? [route];
    return hops.filter((hop) => hop.ifIndex === ifIndex).map(({ gateway }) => ({ metric, prefSrc, gateway }));
  });
  return ways.sort((a, b) => a.metric - b.metric)[0];
}

const LOCALHOST: Readonly<Record<Family, Cidr>> = { 4: parseCidr("127.0.0.0/8"), 6: parseCidr("::1/128") };

/** Why the address is never taken by the method. */
function faultOf(method: DetectionMethod, candidate: Candidate, state: NetworkState): string | undefined {
  const { link, linkAddress, ip } = candidate;
  const { name } = link;
  if (isOwnInterface(link.name) || linkAddress.label === ADDRESS_LABEL)
    return "it is inside the container network";
  if (method.kind === "can-reach") return wayFault(method.ip, ip, state);
  if (linkAddress.scope >= RT_SCOPE_LINK || cidrContainsIp(LINK_LOCAL[state.family], ip))
    return "it counts on its own network only";
  if (linkAddress.passing !== undefined) return `it is ${linkAddress.passing}`;
  return selectionFault(method, candidate) ?? (link.up ? undefined : `${name} is down`);
}

function wayFault(destination: Ip, ip: Ip, { way, links }: NetworkState): string | undefined {
  if (way === undefined) return `there is no route to ${destination}`;
  if (way.prefSrc === ip) return undefined;
  const through = links.find(({ index }) => index === way.ifIndex)?.name ?? String(way.ifIndex);
  return `packets to ${destination} leave ${through} from ${way.prefSrc}`;
}

type Selection = Exclude<DetectionMethod, { kind: "can-reach" }>;

function selectionFault(method: Selection, { link: { name }, ip }: Candidate): string | undefined {
  const owner = ownerByName(name);
  const foreign = owner && `${name} ${owner}`;
  switch (method.kind) {
    case "first-found":
      return foreign;
    case "skip-interface": {
      const pattern = matching(method.patterns, name);
      return pattern === undefined ? foreign : `${name} matches ${pattern}`;
    }
    case "interface":
      return matching(method.patterns, name) === undefined ? `${name} does not match` : undefined;
    case "cidr":
      if (!method.cidrs.some((cidr) => cidrContainsIp(cidr, ip))) return "it is in none of the prefixes";
      // The address of a node that is reached on several ways stands on the loopback interface.
      return name === "lo" ? undefined : foreign;
  }
}

function matching(patterns: readonly string[], name: string): string | undefined {
  return patterns.find((pattern) => interfaceExpression(pattern).test(name));
}

function reasonOf(method: DetectionMethod, winner: Candidate, losers: readonly Candidate[]): string {
  const { name } = winner.link;
  const rank = rankOf(winner, losers);
  const among = losers.length === 0 ? "" : `, and ${rank}`;
  switch (method.kind) {
    case "first-found":
    case "skip-interface":
      return `${name} ${rank}`;
    case "interface":
      return `${name} matches ${matching(method.patterns, winner.link.name) ?? ""}${among}`;
    case "cidr":
      return `${name} has an address in ${method.cidrs.find((cidr) => cidrContainsIp(cidr, winner.ip)) ?? ""}${among}`;
    case "can-reach":
      return `packets there leave ${name} from this address`;
  }
}

/** What is said of the winner's interface, and of the address where the interface has others. */
function rankOf(winner: Candidate, losers: readonly Candidate[]): string {
  const ranks = interfaceRank(winner, losers);
  const rival = losers.find(({ link }) => link.index === winner.link.index);
  return rival === undefined ? ranks : `${ranks}; of its addresses, ${compareCandidates(winner, rival).for}`;
}

function interfaceRank(winner: Candidate, losers: readonly Candidate[]): string {
  const rival = losers.find(({ link }) => link.index !== winner.link.index);
  if (winner.defaultRoute !== undefined)
    return rival?.defaultRoute === undefined
      ? "has the default route"
      : `has the default route that is preferred (metric ${winner.defaultRoute.metric})`;
  if (rival === undefined) return "is the only interface with an address to take";
  return `has no default route, and no other has; ${compareCandidates(winner, rival).for}`;
}
