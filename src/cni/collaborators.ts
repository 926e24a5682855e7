// SPDX-License-Identifier: Apache-2.0
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { LinkRemover } from "../dataplane/link-remover.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { SysctlFiles } from "../dataplane/sysctl.ts";
import type { Revision } from "../datastore/store.ts";
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import type { AskedPool } from "../model/asked-pools.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Log } from "../system/log.ts";
import type { AttachmentId } from "./attachment.ts";
import type { Endpoints } from "./endpoint.ts";
import type { Journal } from "./journal.ts";

export interface CniCollaborators {
  readonly allocator: Allocator;
  readonly endpoints: Endpoints;
  readonly dataplane: Dataplane;
  /** In the node's own namespace. */
  readonly rtnetlink: Rtnetlink;
  readonly linkRemover: LinkRemover;
  readonly sysctls: SysctlFiles;
  readonly journal: Journal;
  /** Hears when addresses were taken or given back. */
  readonly onAddresses: () => void;
  readonly log: Log;
}

/**
 * What ADD waits for before it answers:
 * - `none`: the container's interface, and nothing beyond it
 * - `local`: what this node has for it
 * - `peers`: the other nodes' routes to it as well
 */
export type RouteReadiness = "none" | "local" | "peers";

/** What a container wants of the pools that its addresses come from. */
export interface PoolWish {
  /** The namespace that it is in. @default that of containers without an orchestrator */
  readonly namespace?: string | undefined;
  /** These alone; without any, those that serve the node and the namespace. */
  readonly ipv4Pools?: readonly AskedPool[] | undefined;
  readonly ipv6Pools?: readonly AskedPool[] | undefined;
  /** One address of each. @default IPv4 */
  readonly families?: readonly Family[];
  /** These addresses and no others, one of a family at the most. */
  readonly ips?: readonly Ip[];
}

/** Where the address of one family comes from. */
export interface PoolsOfFamily {
  readonly family: Family;
  /** The next only where the ones before have no address. */
  readonly choices: readonly (readonly IPPool[])[];
}

/** What attachments need to know of the node, as it is now. */
export interface NodeView {
  /** Why no attachment can be made or removed yet; `undefined` once it can. */
  readonly notReady: string | undefined;
  readonly nodeName: string;
  /** What keeps the datastore from answering, if anything does. */
  readonly datastoreTrouble: string | undefined;
  /** Why the node does not do all of its work, in words. */
  faults(): readonly string[];
  /** The families that a container has addresses of, and the pools that those come from; throws {@link CniError} where they cannot be used. */
  pools(wish?: PoolWish): readonly PoolsOfFamily[];
  /** How this node may take blocks. */
  limits(): Limits;
  /** What ADD waits for, unless the network says otherwise. */
  readonly routeReadiness: RouteReadiness;
  /** Resolves once the other nodes have a route to the container with the address, or it has taken too long; `inside` runs an action in the container. */
  awaitPeers(
    ip: Ip,
    inside: <T>(action: () => T) => T,
    options: { readonly signal: AbortSignal },
  ): Promise<void>;
  /** The attachments of the network that there is any record of on this node; what is known, where the datastore does not answer. */
  recorded(network: string): Promise<readonly AttachmentId[]>;
  /** MTU of containers, in octets; throws {@link CniError} while it is not known. */
  mtu(): number;
  /** Resolves once the desired state takes the endpoint written at `revision` into account. */
  endpointsSeen(revision: Revision, options: { readonly signal: AbortSignal }): Promise<void>;
}
