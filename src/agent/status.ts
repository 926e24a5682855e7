// SPDX-License-Identifier: Apache-2.0
import type { BirdStatus } from "../bird/bird.ts";
import type { DataplaneStatus } from "../dataplane/dataplane.ts";
import type { RouteSource } from "../desired/facts.ts";
import type { OwnEnd } from "../desired/tunnels.ts";
import type { Unroutable, WantedBird } from "../desired/wanted.ts";
import type { IPPool, IPPoolSpec } from "../model/ip-pool.ts";
import type { Issue } from "../model/issue.ts";
import type { Ip } from "../net/ip.ts";
import type { KnownAddress } from "./address/decision.ts";
import type { PassedOver } from "./address/detection.ts";
import type { MemoryUse } from "./memory.ts";

/** What the agent knows of itself at one moment. */
export interface AgentState {
  readonly nodeName: string;
  /** The node's address; `undefined` before it is chosen. */
  readonly address: KnownAddress | undefined;
  /** What keeps the node from having one, or from having it still. */
  readonly addressTrouble: string | undefined;
  /** The node's IPv6 address; `undefined` where the agent looks for none, or has found none. */
  readonly ipv6Address: KnownAddress | undefined;
  /** What is amiss with that: the node does its work in IPv4 all the same. */
  readonly ipv6AddressTrouble: string | undefined;
  readonly datastoreTrouble: string | undefined;
  readonly isSynced: boolean;
  readonly routeSource: RouteSource;
  readonly pools: readonly IPPool[];
  readonly routeSourceTrouble: string | undefined;
  readonly mtu: Mtus;
  readonly tunnels: readonly OwnEnd[];
  /** What keeps this node's ends of tunnels from being there. */
  readonly tunnelTroubles: readonly { readonly name: string; readonly trouble: string }[];
  /** Nodes that rely on what this one's BIRD announces. */
  readonly relyingOnBird: readonly string[];
  /** What is stored and cannot be read; the last good value holds. */
  readonly unreadable: readonly string[];
  /** Stored fields that are not known here. */
  readonly ignored: readonly string[];
  /** Pools that share addresses with each other or with the underlay. */
  readonly poolIssues: readonly Issue[];
  /** What people have set that no packet, or not every packet, gets through. */
  readonly mtuIssues: readonly string[];
  readonly wantedBird: WantedBird | undefined;
  /** What is amiss with what resources ask of BGP. */
  readonly bgpIssues: readonly string[];
  readonly bird: BirdStatus;
  /** What keeps the API from being served by TCP. */
  readonly apiTrouble: string | undefined;
  readonly dataplane: DataplaneStatus;
  readonly unroutable: readonly Unroutable[];
  /** Destinations that packets reach by another way than their pool asks for. */
  readonly detours: readonly Unroutable[];
  /** What is not encrypted although it should be: packets of IPv6, and nodes with why those to them are not. */
  readonly unencrypted: readonly string[];
}

export interface PoolModes extends Pick<IPPoolSpec, "cidr" | "ipipMode" | "vxlanMode"> {
  readonly name: string;
}

export interface AddressStatus {
  /** `192.168.0.101/24` */
  readonly current: string;
  /** Why this one, in words. */
  readonly reason: string;
  /** What else there was, and why it was not taken. */
  readonly passedOver: readonly PassedOver[];
}

/** Somebody that BIRD is to speak with. */
export interface Peer {
  /** In words, such as `node "host2"`. */
  readonly what: string;
  readonly address: Ip;
}

/** In octets; `null` while the underlay is not known. */
export interface Mtus {
  /** Of the interface that carries the node's address. */
  readonly underlay: number | null;
  readonly containers: number | null;
}

/** What `GET /status` answers. */
export interface AgentStatus {
  readonly nodeName: string;
  readonly version: string;
  readonly pid: number;
  /** Whether the datastore was read and the kernel brought in line: from then on it serves CNI. */
  readonly started: boolean;
  readonly ready: boolean;
  /** Why it is not ready, most basic cause first. */
  readonly reasons: readonly string[];
  /** What is amiss and leaves the node ready: a peer that is away, above all. */
  readonly degraded: readonly string[];
  /** What somebody has stored and nothing here goes by: as it should be with a newer version's fields, and not with a slip of the pen. */
  readonly ignored: readonly string[];
  /** `null` before it is chosen; what is waited for is among the reasons then. */
  readonly address: AddressStatus | null;
  /** `null` where it looks for none, or has found none; then what is waited for is among what is degraded. */
  readonly ipv6Address: AddressStatus | null;
  readonly routeSource: RouteSource;
  /** How packets of each pool travel between nodes. */
  readonly pools: readonly PoolModes[];
  readonly mtu: Mtus;
  /** This node's ends of tunnels. */
  readonly tunnels: readonly OwnEnd[];
  readonly bird: Omit<Extract<BirdStatus, { kind: "running" }>, "kind"> | null;
  /** Everybody that BIRD is to speak with. */
  readonly peers: readonly Peer[];
  readonly dataplane: DataplaneStatus;
  /** Destinations without a route: not a fault of this node. */
  readonly unroutable: readonly Unroutable[];
  readonly memory: MemoryUse;
}

export function renderStatus(
  state: AgentState,
  { version, pid, memory }: Pick<AgentStatus, "version" | "pid" | "memory">,
): AgentStatus {
  const reasons = reasonsOf(state);
  return {
    nodeName: state.nodeName,
    version,
    pid,
    started: state.isSynced,
    ready: reasons.length === 0,
    reasons,
    degraded: degradationsOf(state),
    ignored: state.ignored,
    address: state.address === undefined ? null : addressStatus(state.address),
    ipv6Address: state.ipv6Address === undefined ? null : addressStatus(state.ipv6Address),
    routeSource: state.routeSource,
    pools: state.pools.map(poolModes),
    mtu: state.mtu,
    tunnels: state.tunnels,
    bird: state.bird.kind === "running" ? withoutKind(state.bird) : null,
    peers: peersOf(state.wantedBird),
    dataplane: state.dataplane,
    unroutable: state.unroutable,
    memory,
  };
}

/** What has to do its work for the node to do its own. */
export const PARTS = ["datastore", "address", "dataplane", "bird", "tunnels"] as const;
export type Part = (typeof PARTS)[number];

/** Why a part does not do its work. */
export interface Reason {
  readonly part: Part;
  readonly text: string;
}

/** Why the node does not do its work, as status tells it. */
export function reasonsOf(state: AgentState): readonly string[] {
  return reasonsByPart(state).map(({ text }) => text);
}

/** Why the node does not do its work, most basic cause first. An unready node keeps forwarding, and serves CNI once it has synced. */
export function reasonsByPart(state: AgentState): readonly Reason[] {
  const { datastoreTrouble, addressTrouble, routeSourceTrouble, isSynced } = state;
  const reasons: Reason[] = [];
  const add = (part: Part, text: string): void => void reasons.push({ part, text });
  if (datastoreTrouble !== undefined) add("datastore", `datastore: ${datastoreTrouble}`);
  if (addressTrouble !== undefined) add("address", `address: ${addressTrouble}`);
  if (!isSynced && addressTrouble !== undefined) return reasons;
  if (!isSynced) {
    add("datastore", "datastore: not everything has been read yet");
    return reasons;
  }
  for (const { key, reason } of state.dataplane.faults) add("dataplane", `${key}: ${reason}`);
  if (routeSourceTrouble !== undefined) add("bird", `bird: ${routeSourceTrouble}`);
  for (const { name, trouble } of state.tunnelTroubles) add("tunnels", `${name}: ${trouble}`);
  for (const text of birdReasons(state)) add("bird", text);
  return reasons;
}

/** One dead machine must not make every other node unready: a single session that is up shows that BGP works here. */
function birdReasons(state: AgentState): readonly string[] {
  const { routeSource, wantedBird, bird } = state;
  if (routeSource !== "bird") return [];
  if (bird.kind === "restarting") return [`bird: it ended and is started again: ${bird.lastError}`];
  if (bird.kind === "stopped") return ["bird: it does not run yet"];
  const missing = missingSessions(state);
  const count = peersOf(wantedBird).length;
  return count > 0 && missing.length === count ? missing : [];
}

/** What is amiss beyond that. */
export function degradationsOf(state: AgentState): readonly string[] {
  const isLeavingBird = state.routeSource === "datastore" && state.bird.kind === "running";
  const kept = state.relyingOnBird.map(
    (name) => `bird: it goes on announcing, for node "${name}" relies on it`,
  );
  const { degradation } = state.address ?? {};
  return [
    ...(degradation === undefined ? [] : [degradation]),
    ...(state.ipv6AddressTrouble === undefined ? [] : [state.ipv6AddressTrouble]),
    ...state.unreadable,
    ...state.poolIssues.map(({ message }) => `pools: ${message}: no address is taken from it`),
    ...state.mtuIssues,
    ...state.bgpIssues,
    ...(state.routeSource === "bird" ? [...missingSessions(state), ...unwatchedSessions(state)] : []),
    ...(isLeavingBird ? kept : []),
    ...state.detours.map(
      ({ dst, reason }) => `packets to ${dst} go another way than their pool asks for: ${reason}`,
    ),
    ...(state.apiTrouble === undefined ? [] : [`api: ${state.apiTrouble}`]),
    ...state.unencrypted.map((reason) => `wireguard: packets are not encrypted: ${reason}`),
  ];
}

function missingSessions({ wantedBird, bird }: AgentState): readonly string[] {
  const sessions = bird.kind === "running" ? bird.sessions : [];
  return peersOf(wantedBird).flatMap(({ what, address }) => {
    const session = sessions.find((candidate) => candidate.peer === address);
    if (session?.state === "Established") return [];
    const error = session?.lastError === undefined ? "" : ` (${session.lastError})`;
    return [`bird: no session with ${what} (${address}): ${session?.state ?? "not configured yet"}${error}`];
  });
}

/** Sessions that stand and have no BFD beside them, as they should: the peer may have none. */
function unwatchedSessions({ wantedBird, bird }: AgentState): readonly string[] {
  const sessions = bird.kind === "running" ? bird.sessions : [];
  return (wantedBird?.sessions ?? []).flatMap(({ name, address, bfd: wanted }) => {
    const session = sessions.find(({ peer }) => peer === address);
    if (wanted === undefined || session?.state !== "Established" || session.bfd === "Up") return [];
    return [`bird: no BFD with BGPPeer "${name}" (${address}): ${session.bfd ?? "no session"}`];
  });
}

/** Everybody that BIRD is to speak with. */
export function peersOf(wanted: WantedBird | undefined): readonly Peer[] {
  const { peers = [], sessions = [] } = wanted ?? {};
  return [
    ...peers.map(({ name, address }) => ({ what: `node "${name}"`, address })),
    ...sessions.map(({ name, node, address }) => ({
      what: node === undefined ? `BGPPeer "${name}"` : `node "${node}"`,
      address,
    })),
  ];
}

function addressStatus({ address, reason, passedOver }: KnownAddress): AddressStatus {
  return { current: address, reason, passedOver };
}

function poolModes({ metadata, spec: { cidr, ipipMode, vxlanMode } }: IPPool): PoolModes {
  return { name: metadata.name, cidr, ipipMode, vxlanMode };
}

function withoutKind<T extends { readonly kind: string }>({ kind, ...rest }: T): Omit<T, "kind"> {
  return rest;
}
