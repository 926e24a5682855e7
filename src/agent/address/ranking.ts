// SPDX-License-Identifier: Apache-2.0
import type { LinkAddress } from "../../dataplane/netlink/address.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import { LINK_LOCAL, cidrContainsIp, cidrOf } from "../../net/cidr.ts";
import { type Ip, addressBits, familyOf } from "../../net/ip.ts";

export interface DefaultRoute {
  /** Lower is preferred. */
  readonly metric: number;
  readonly gateway: Ip | undefined;
  /** The source address that packets of the node itself get. */
  readonly prefSrc: Ip | undefined;
}

/** An address that may be the node's. */
export interface Candidate {
  readonly link: Link;
  readonly linkAddress: LinkAddress;
  readonly ip: Ip;
  /** `192.168.0.101/24` */
  readonly address: string;
  /** The best default route that leads out of the interface. */
  readonly defaultRoute: DefaultRoute | undefined;
  /** In the kernel's listing, where an interface's first address comes first. */
  readonly place: number;
}

/** What speaks for the better of two, and against the other. */
export interface Verdict {
  readonly for: string;
  readonly against: string;
}

interface Criterion {
  /** Lower is better. */
  readonly rank: (candidate: Candidate) => number;
  readonly verdict: (better: Candidate, worse: Candidate) => Verdict;
}

/** Sorts the best first. The order is total: no two candidates have the same place. */
export function rankCandidates(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.toSorted((a, b) => {
    const criterion = deciding(a, b);
    return criterion.rank(a) < criterion.rank(b) ? -1 : 1;
  });
}

/** Why the one comes before the other. */
export function compareCandidates(better: Candidate, worse: Candidate): Verdict {
  return deciding(better, worse).verdict(better, worse);
}

function deciding(a: Candidate, b: Candidate): Criterion {
  return CRITERIA.find(({ rank }) => rank(a) !== rank(b)) ?? PLACE;
}

const PLACE: Criterion = {
  rank: ({ place }) => place,
  verdict: ({ ip }) => ({ for: "this one comes first", against: `it comes after ${ip}` }),
};

/** The first that tells two candidates apart decides. */
const CRITERIA: readonly Criterion[] = [
  {
    rank: ({ defaultRoute }) => defaultRoute?.metric ?? Infinity,
    verdict: (better, { link: { name }, defaultRoute }) => ({
      for: "its default route is preferred",
      against:
        defaultRoute === undefined
          ? `${name} has no default route`
          : `the default route of ${name} has the higher metric, ${defaultRoute.metric}`,
    }),
  },
  {
    rank: ({ link: { running } }) => (running ? 0 : 1),
    verdict: (better, { link: { name } }) => ({
      for: `${better.link.name} has a carrier`,
      against: `${name} has no carrier`,
    }),
  },
  {
    rank: ({ defaultRoute, ip }) =>
      defaultRoute?.prefSrc === undefined || defaultRoute.prefSrc === ip ? 0 : 1,
    verdict: ({ ip }) => ({
      for: "this one is the source of the default route",
      against: `the source of the default route is ${ip}`,
    }),
  },
  {
    rank: (candidate) => (hasGateway(candidate) ? 0 : 1),
    verdict: () => ({
      for: "this one is on the gateway's network",
      against: "the gateway of the default route is not on its network",
    }),
  },
  {
    rank: ({ linkAddress: { isSecondary = false } }) => (isSecondary ? 1 : 0),
    verdict: () => ({ for: "this one is primary", against: "it is a secondary address" }),
  },
  {
    rank: (candidate) => (ownLabel(candidate) === undefined ? 0 : 1),
    verdict: (better, worse) => ({
      for: "this one has no label of its own",
      against: `it has a label of its own, "${ownLabel(worse) ?? ""}", as virtual addresses have`,
    }),
  },
  {
    rank: ({ ip, linkAddress: { prefixLength } }) => (prefixLength === addressBits(familyOf(ip)) ? 1 : 0),
    verdict: ({ ip }) => ({
      for: "this one is on a network",
      against: `it is on no network (/${addressBits(familyOf(ip))}), as virtual addresses are`,
    }),
  },
  {
    rank: ({ link: { index } }) => index,
    verdict: (better, { link: { name } }) => ({
      for: `${better.link.name} comes first`,
      against: `${name} comes after ${better.link.name}`,
    }),
  },
];

/** Also where there is no gateway that it could be on a network with: those of IPv6 have link-local addresses mostly. */
function hasGateway({ defaultRoute, ip, linkAddress: { prefixLength } }: Candidate): boolean {
  const gateway = defaultRoute?.gateway;
  return (
    gateway === undefined ||
    cidrContainsIp(LINK_LOCAL[6], gateway) ||
    cidrContainsIp(cidrOf(ip, prefixLength), gateway)
  );
}

/** Addresses that are given no label have the name of their interface. */
function ownLabel({ link, linkAddress: { label } }: Candidate): string | undefined {
  return label === link.name ? undefined : label;
}
