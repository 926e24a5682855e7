// SPDX-License-Identifier: Apache-2.0
// The BGP sessions that BGPPeer resources ask of this node.
import { type BGPPeerSpec, parsePeerAddress } from "../model/bgp-peer.ts";
import { secondsOf } from "../model/schema.ts";
import { parseSelector, selects } from "../model/selector.ts";
import { cidrContainsIp } from "../net/cidr.ts";
import { type Ip, familyOf, ipToBigInt } from "../net/ip.ts";
import type { NodeFacts, Settings } from "./facts.ts";
import type { WantedSession } from "./wanted.ts";

export interface SessionContext {
  readonly self: string;
  readonly settings: Settings;
  readonly nodes: ReadonlyMap<string, NodeFacts>;
  readonly bgpPeers: ReadonlyMap<string, BGPPeerSpec>;
}

/** Where no port is given to a router outside the cluster (RFC 4271 section 4.2). */
const BGP_PORT = 179;

/** One for each address, by the first BGPPeer by name that leads to it; sorted by address. */
export function wantedSessions(context: SessionContext): readonly WantedSession[] {
  const here = context.nodes.get(context.self);
  if (here === undefined) return [];
  const found = new Map<Ip, WantedSession>();
  for (const [name, peer] of [...context.bgpPeers].sort(([a], [b]) => (a < b ? -1 : 1)))
    for (const session of sessionsOf(name, peer, here, context))
      if (!found.has(session.address)) found.set(session.address, session);
  return [...found.values()].sort((a, b) => compareIps(a.address, b.address));
}

/** Whether the node reflects routes, and so has no part in the full mesh. */
export function isReflector(node: NodeFacts | undefined): boolean {
  return node?.routeReflectorClusterId !== undefined;
}

/** By family, then by number. */
export function compareIps(a: Ip, b: Ip): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) - familyOf(b);
  return ipToBigInt(a) < ipToBigInt(b) ? -1 : 1;
}

/** A node's address of the peer's family. */
export function ownAddress(node: NodeFacts, peer: Ip): Ip | undefined {
  return familyOf(peer) === 4 ? node.address : node.ipv6?.address;
}

function sessionsOf(
  name: string,
  peer: BGPPeerSpec,
  here: NodeFacts,
  context: SessionContext,
): readonly WantedSession[] {
  const { self, nodes } = context;
  // Parsed once, for there may be thousands of nodes.
  const isFor = judgeOf(peer);
  const isAsked = isFor(self, here);
  if (peer.peerIP !== undefined) return isAsked ? outsideSession(name, peer, peer.peerIP, here, context) : [];
  const isPeer = selectorJudge(peer.peerSelector);
  const isAnswering = peer.reversePeering === "Auto" && isPeer(here);
  const others = [...nodes].filter(
    ([other, node]) => other !== self && ((isAsked && isPeer(node)) || (isAnswering && isFor(other, node))),
  );
  return others.flatMap(([other, node]) => nodeSessions(name, peer, { name: other, node }, here, context));
}

/** Tells whether the peer is for a node: by name, by labels, or for all of them. */
function judgeOf({ node, nodeSelector }: BGPPeerSpec): (name: string, facts: NodeFacts) => boolean {
  if (node !== undefined) return (name) => node === name;
  if (nodeSelector === undefined) return () => true;
  const isSelected = selectorJudge(nodeSelector);
  return (_, facts) => isSelected(facts);
}

function selectorJudge(text: string | undefined): (node: NodeFacts) => boolean {
  if (text === undefined) return () => false;
  const selector = parseSelector(text);
  return ({ labels = {} }) => selects(selector, labels);
}

/** With a router that is given by its address; which may be a node's, and then is no stranger. */
function outsideSession(
  name: string,
  peer: BGPPeerSpec,
  peerIP: string,
  here: NodeFacts,
  context: SessionContext,
): readonly WantedSession[] {
  const { ip, port = BGP_PORT } = parsePeerAddress(peerIP);
  const own = ownAddress(here, ip);
  if (own === undefined || own === ip) return [];
  const node = [...context.nodes].find(([, { address, ipv6 }]) => address === ip || ipv6?.address === ip);
  const asNumber = peer.asNumber ?? context.settings.asNumber;
  return [
    {
      ...common(name, peer, here, context.settings),
      address: ip,
      port,
      asNumber,
      node: node?.[0],
      isPassive: false,
      isDirect: peer.reachableBy === undefined && isNear(here, ip),
      clusterId: clientOf(here, node?.[1], asNumber, localAsOf(peer, here, context.settings)),
    },
  ];
}

/** With another node, over each family that both have. */
function nodeSessions(
  name: string,
  peer: BGPPeerSpec,
  { name: node, node: there }: { readonly name: string; readonly node: NodeFacts },
  here: NodeFacts,
  { settings }: SessionContext,
): readonly WantedSession[] {
  const asNumber = there.asNumber ?? settings.asNumber;
  const addresses = [there.address, ...(there.ipv6 === undefined ? [] : [there.ipv6.address])];
  return addresses.flatMap((address) => {
    const own = ownAddress(here, address);
    if (own === undefined || own === address) return [];
    return [
      {
        ...common(name, peer, here, settings),
        address,
        port: settings.listenPort,
        asNumber,
        node,
        // The side with the larger address dials, as in the mesh, so two connections never meet.
        isPassive: compareIps(address, own) > 0,
        isDirect: false,
        clusterId: clientOf(here, there, asNumber, localAsOf(peer, here, settings)),
      },
    ];
  });
}

function localAsOf({ localASNumber }: BGPPeerSpec, here: NodeFacts, { asNumber }: Settings): number {
  return localASNumber ?? here.asNumber ?? asNumber;
}

function common(name: string, peer: BGPPeerSpec, here: NodeFacts, settings: Settings) {
  const nextHop = peer.nextHopMode ?? (peer.keepOriginalNextHop === true ? "Keep" : "Auto");
  return {
    name,
    localAsNumber: localAsOf(peer, here, settings),
    passesOn: isReflector(here),
    nextHop,
    bindsAddress: peer.sourceAddress === "UseNodeIP",
    password: peer.password?.secretKeyRef,
    ttlSecurity: peer.ttlSecurity,
    restartSeconds: optionalSeconds(peer.maxRestartTime),
    keepaliveSeconds: optionalSeconds(peer.keepaliveTime),
    allowedLocalAs: peer.numAllowedLocalASNumbers,
    reachableBy: peer.reachableBy,
    filters: peer.filters,
    bfd: peer.bfd,
  } as const;
}

function optionalSeconds(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : secondsOf(duration);
}

/** The cluster that this node reflects for, where the peer is a client of it: an internal one that does not reflect for the same (RFC 4456 section 7). */
function clientOf(
  here: NodeFacts,
  there: NodeFacts | undefined,
  asNumber: number,
  localAsNumber: number,
): WantedSession["clusterId"] {
  const own = here.routeReflectorClusterId;
  const isInternal = asNumber === localAsNumber;
  return isInternal && there?.routeReflectorClusterId !== own ? own : undefined;
}

function isNear({ subnet, ipv6 }: NodeFacts, ip: Ip): boolean {
  const network = familyOf(ip) === 4 ? subnet : ipv6?.subnet;
  return network !== undefined && cidrContainsIp(network, ip);
}
