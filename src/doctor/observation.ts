// SPDX-License-Identifier: Apache-2.0
import type { NodeCheck, NodeDifferences, NodeStatus } from "../agent/answers.ts";
import type { Session } from "../bird/sessions.ts";
import type { LinkAddress } from "../dataplane/netlink/address.ts";
import type { Link } from "../dataplane/netlink/link.ts";
import type { WireguardPeer } from "../dataplane/netlink/wireguard-device.ts";
import type { IpamLook } from "../ipam/check-twice.ts";
import type { Ip } from "../net/ip.ts";
import type { Neighbour } from "../dataplane/netlink/neighbour.ts";
import type { KernelRoute } from "../dataplane/netlink/route.ts";

/** What could be had, or why it could not. */
export type Known<T> =
  { readonly kind: "known"; readonly value: T } | { readonly kind: "unknown"; readonly reason: string };

/** What a node's kernel tells anyone who may ask. */
export interface KernelSeen {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly KernelRoute[];
  readonly neighbours: readonly Neighbour[];
  /** `net/ipv4/ip_forward` -> value; what is not there is left out. */
  readonly sysctls: ReadonlyMap<string, string>;
  /** node end -> the other end of its link, where that could be found */
  readonly containerEnds: ReadonlyMap<string, ContainerEnd>;
  /** tunnel device -> whether checksums of what is sent are left to the network card, where the kernel tells */
  readonly offloads: ReadonlyMap<string, boolean>;
  /** Of the WireGuard device; `undefined` where there is none. */
  readonly wireguardPeers: Known<readonly WireguardPeer[]> | undefined;
}

/** The container's end of its link. */
export interface ContainerEnd {
  readonly link: Link;
  /** A path of its network namespace; `undefined` where that is the node's. */
  readonly netnsPath: string | undefined;
}

/** What a node's agent tells. */
export interface AgentSeen {
  readonly socket: string;
  readonly status: Known<NodeStatus>;
  /** Where the kernel is not as the agent wants it. */
  readonly differences: Known<NodeDifferences>;
  /** What passes on the ways to other nodes. */
  readonly paths: Known<NodeCheck>;
}

/** What BIRD tells on its control socket. */
export type BirdSeen =
  | { readonly kind: "running"; readonly version: string; readonly sessions: readonly Session[] }
  /** It did not end in order. */
  | { readonly kind: "dead"; readonly reason: string }
  /** There is none, and none has died. */
  | { readonly kind: "none" };

/** A chain that every forwarded packet of a family passes. */
export interface ForwardChain {
  /** `ip filter FORWARD`, as nft and its like name it. */
  readonly name: string;
  /** Whether what no rule has decided is dropped: by its policy, or by a rule without conditions. */
  readonly dropsRest: boolean;
  /** Whether rules let all packets from containers, and all to them, pass. */
  readonly acceptsContainers: boolean;
  /** Whether other rules may accept, or lead to chains that may. */
  readonly mayAccept: boolean;
  /** What a shell is given to have it let containers' packets pass. */
  readonly letPass: readonly string[];
}

/** What the machine tells. */
export interface MachineSeen {
  /** Of the directories that Margay writes to. */
  readonly disks: readonly { readonly directory: string; readonly space: Known<DiskSpace> }[];
  /** The interfaces of ours that NetworkManager takes for its own. */
  readonly managed: Known<readonly string[]>;
  readonly clock: Known<ClockSeen>;
}

/** What the kernel knows of its clock. */
export interface ClockSeen {
  /** Whether somebody has told it lately that they keep it in step. */
  readonly isKept: boolean;
  /** What it may be wrong by at most, in milliseconds, as those who keep it see it. */
  readonly maxErrorMs: number;
}

export interface DiskSpace {
  /** For others than root, in octets. */
  readonly free: number;
  readonly size: number;
  readonly freeFiles: number;
  /** 0 where the file system has no number of its own. */
  readonly files: number;
}

/** Everything that was looked at of one node. */
export interface NodeSeen {
  readonly agent: AgentSeen;
  readonly kernel: Known<KernelSeen>;
  readonly bird: Known<BirdSeen>;
  readonly forwardChains: Known<readonly ForwardChain[]>;
  /** The version of this program. */
  readonly version: string;
}

/** `undefined` where it is not known. */
export function valueOf<T>(known: Known<T>): T | undefined {
  return known.kind === "known" ? known.value : undefined;
}

/** What the cluster has stored, as far as nodes have to agree on it. */
export interface ClusterSeen {
  readonly ipam: IpamLook;
  readonly nodes: readonly NodeRecord[];
  /** Records that were made later than it is here, and how much later, in milliseconds. */
  readonly fromTheFuture: readonly { readonly key: string; readonly aheadMs: number }[];
}

export interface NodeRecord {
  readonly name: string;
  /** Of the underlay, without their lengths. */
  readonly addresses: readonly Ip[];
  /** Its agent's; agents of other versions may record none. */
  readonly version: string | undefined;
}
