// SPDX-License-Identifier: Apache-2.0
import { CniError } from "../cni/error.ts";
import type { NodeView, PoolWish } from "../cni/collaborators.ts";
import { listAddresses } from "../dataplane/netlink/address.ts";
import { type Link, listLinks } from "../dataplane/netlink/link.ts";
import type { Store } from "../datastore/store.ts";
import type { Limits } from "../ipam/assignment.ts";
import type { Calculation } from "../desired/calculation.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { formatIssues } from "../model/issue.ts";
import { poolsForNode, poolsOfFamily } from "../model/pools.ts";
import { ENDPOINT_NAMESPACE } from "../model/workload-endpoint.ts";
import { type Family, familyOf } from "../net/ip.ts";
import type { NodeAddress } from "./address/node-address.ts";
import { askedPools } from "./asked-pools.ts";
import type { Catalog } from "./catalog.ts";
import type { Cluster } from "./cluster.ts";
import type { AgentConfig } from "./config.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { AgentParts } from "./parts.ts";
import { recordedAttachments } from "./recorded-attachments.ts";
import { type WayToNode, awaitPeers } from "./route-readiness.ts";
import type { PoolReview } from "./pool-review.ts";
import type { Withdrawals } from "./withdrawals.ts";

export interface NodeViewCollaborators {
  readonly config: AgentConfig;
  readonly store: Store;
  readonly nodeAddress: Pick<NodeAddress, "waitsFor">;
  readonly catalog: Catalog;
  readonly poolReview: PoolReview;
  readonly cluster: Cluster;
  readonly calculation: Calculation;
  readonly withdrawals: Withdrawals;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the datastore has been read and the kernel brought in line once. */
  readonly isStarted: () => boolean;
  /** Why the node does not do all of its work, in words. */
  readonly faults: () => readonly string[];
}

/** What the CNI service needs to know of this node. */
export function createNodeView(collaborators: NodeViewCollaborators): NodeView {
  const { config, nodeAddress, catalog, cluster, calculation } = collaborators;
  const { withdrawals, clock, log, isStarted, faults } = collaborators;
  const { nodeName } = config;
  return {
    nodeName,
    get notReady() {
      if (isStarted()) return undefined;
      const { waitsFor } = nodeAddress;
      const address = waitsFor && `it waits for an address: ${waitsFor}`;
      const cause = cluster.trouble ?? address ?? "the datastore has not been read yet";
      return `The Margay agent of node "${nodeName}" is starting: ${cause}; try again`;
    },
    routeReadiness: config.routeReadiness,
    async awaitPeers(ip, inside, { signal }) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(config.routeReadinessTimeoutMs)]);
      const { late, silent } = await awaitPeers(waysToNodes(calculation, familyOf(ip)), {
        inside,
        clock,
        settledMs: clock.now() + withdrawals.settlesIn(ip),
        deadline,
      });
      if (late.length > 0)
        log.warn("Nodes have no route to a new container yet; it starts all the same", { late });
      if (silent.length > 0) log.debug("Nodes were not waited for, since they do not answer", { silent });
    },
    get datastoreTrouble() {
      return cluster.trouble;
    },
    faults,
    recorded: (network) => recordedAttachments(network, collaborators),
    limits: () => limitsOf(catalog),
    pools: (wish = {}) =>
      (wish.families ?? [4]).map((family) => ({ family, choices: poolChoices(collaborators, family, wish) })),
    mtu: () => {
      const mtu = calculation.containerMtu;
      if (mtu !== undefined) return mtu;
      throw new CniError(
        "tryAgainLater",
        `Cannot tell the MTU on node "${nodeName}": its underlay is not known`,
      );
    },
    endpointsSeen: (revision, options) => cluster.endpointsSeen(revision, options),
  };
}

/** Pools that are asked for come one after the other; those that serve the node and the namespace are as good as each other. */
function poolChoices(
  { catalog, poolReview, config: { nodeName } }: NodeViewCollaborators,
  family: Family,
  wish: PoolWish,
): readonly (readonly IPPool[])[] {
  const asked = askedPools(catalog, poolReview, family, wish);
  if (asked.length > 0) return asked.map((pool) => [pool]);
  // As in Calico, an address that is asked for may be of any pool that is enabled: that is told where it is of none.
  if (wish.ips !== undefined && wish.ips.length > 0)
    return [catalog.pools.filter((pool) => !pool.spec.disabled && poolReview.issuesOf(pool).length === 0)];
  return [usablePools(catalog, poolReview, family, nodeName, wish.namespace ?? ENDPOINT_NAMESPACE)];
}

function waysToNodes(calculation: Calculation, family: Family): readonly WayToNode[] {
  return calculation.pathsToNodes().filter(({ address }) => familyOf(address) === family);
}

function usablePools(
  catalog: Catalog,
  review: PoolReview,
  family: Family,
  nodeName: string,
  namespace: string,
): readonly IPPool[] {
  const candidates = poolsOfFamily(catalog.pools, family);
  const pools = poolsForNode(candidates, { labels: catalog.self?.metadata.labels ?? {} }, namespace);
  const sound = pools.filter((pool) => review.issuesOf(pool).length === 0);
  if (sound.length > 0) return sound;
  const issues = pools.flatMap((pool) => review.issuesOf(pool));
  if (issues.length > 0)
    throw new CniError("invalidConfig", `Cannot take an address: ${formatIssues(issues)}`);
  const known = candidates.map(({ metadata }) => `"${metadata.name}"`).join(", ");
  const none = `no IPPool is enabled for this node and namespace "${namespace}" among ${known}`;
  const cause = known === "" ? `there is no IPPool of IPv${family}` : none;
  throw new CniError("noAddress", `Cannot take an address on node "${nodeName}": ${cause}`);
}

/** Without an IPAMConfig its defaults hold. */
function limitsOf({ ipamConfig, reservations }: Catalog): Limits {
  const { strictAffinity = false, maxBlocksPerHost = 0, autoAllocateBlocks = true } = ipamConfig?.spec ?? {};
  return { strictAffinity, maxBlocks: maxBlocksPerHost, autoAllocateBlocks, reservations };
}

/** The interface that has the node's address; throws {@link CniError} where there is none yet. */
export async function underlayLink(
  { rtnetlink, nodeAddress }: Pick<AgentParts, "rtnetlink" | "nodeAddress">,
  nodeName: string,
): Promise<Link> {
  const { ip } = nodeAddress;
  const carrier = (await rtnetlink.list(listAddresses)).find((candidate) => candidate.ip === ip);
  const link = (await rtnetlink.list(listLinks)).find(({ index }) => index === carrier?.ifIndex);
  if (link !== undefined) return link;
  throw new CniError(
    "tryAgainLater",
    `Cannot find the underlay of node "${nodeName}": no interface has address ${nodeAddress.current}`,
  );
}
