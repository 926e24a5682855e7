// SPDX-License-Identifier: Apache-2.0
import type { BGPFilterSpec } from "../model/bgp-filter.ts";
import { parsePeerAddress } from "../model/bgp-peer.ts";
import { isCommunity } from "../model/schema.ts";
import { type SessionContext, ownAddress, wantedSessions } from "./bgp-session.ts";
import type { PrefixAdvertisement, Settings } from "./facts.ts";

export interface IssueContext extends SessionContext {
  readonly bgpFilters: ReadonlyMap<string, BGPFilterSpec>;
}

/** What is amiss with what resources ask of BGP on this node, in words. */
export function bgpIssues(context: IssueContext): readonly string[] {
  const { bgpPeers, settings } = context;
  if (settings.routeSource === "datastore")
    return [...bgpPeers.keys()]
      .sort()
      .map((name) => `bgp: nobody speaks with BGPPeer "${name}", for routes come from the datastore`);
  return [...filterIssues(context), ...familyIssues(context), ...communityIssues(settings)];
}

/** Those of the communities that are some; the others are names that nothing has. */
export function soundAdvertisements({ prefixAdvertisements }: Settings): readonly PrefixAdvertisement[] {
  return prefixAdvertisements.map(({ cidr, communities }) => ({
    cidr,
    communities: communities.filter(isCommunity),
  }));
}

function filterIssues(context: IssueContext): readonly string[] {
  const missing = wantedSessions(context).flatMap(({ name, filters }) =>
    filters
      .filter((filter) => !context.bgpFilters.has(filter))
      .map((filter) => `bgp: BGPPeer "${name}" names BGPFilter "${filter}", which is not there`),
  );
  return [...new Set(missing)];
}

function familyIssues({ self, nodes, bgpPeers }: IssueContext): readonly string[] {
  const here = nodes.get(self);
  return [...bgpPeers].sort().flatMap(([name, { peerIP }]) => {
    if (here === undefined || peerIP === undefined) return [];
    const { ip } = parsePeerAddress(peerIP);
    return ownAddress(here, ip) === undefined
      ? [`bgp: nobody speaks with BGPPeer "${name}" (${ip}), for this node has no IPv6 address`]
      : [];
  });
}

function communityIssues({ prefixAdvertisements }: Settings): readonly string[] {
  const unknown = prefixAdvertisements.flatMap(({ communities }) =>
    communities.filter((community) => !isCommunity(community)),
  );
  return [...new Set(unknown)]
    .sort()
    .map((name) => `bgp: BGPConfiguration "default" announces with community "${name}", which has no value`);
}
