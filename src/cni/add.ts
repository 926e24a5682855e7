// SPDX-License-Identifier: Apache-2.0
import type { KernelRoute } from "../dataplane/netlink/route.ts";
import type { AssignResult } from "../ipam/assignment.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import { type Attachment, attributesOf, describeAttachment } from "./attachment.ts";
import { awaitCarrier, awaitLocal } from "./carrier.ts";
import type { CniCollaborators, NodeView, RouteReadiness } from "./collaborators.ts";
import { type Container, configure, connect, findLink, openContainer, withdraw } from "./container.ts";
import { CniError } from "./error.ts";
import { remove } from "./remove.ts";
import type { AddRequest } from "./request.ts";
import { renderResult } from "./result.ts";

/**
 * Attaches a container, or leaves nothing. The endpoint is recorded before its interface exists, so that an interface without a
 * record is never one that is still being made.
 */
export async function add(
  request: AddRequest,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<object> {
  const { cniVersion, netns, wish, prevResult } = request;
  const attachment = describeAttachment(request.id, wish.mac);
  await collaborators.endpoints.requireFree(attachment, { signal });
  await using container = openContainer(netns);
  await requireFreeName(container, attachment);
  // What an attachment of the same name left: its interface is gone from the container, so it is dead.
  await remove(attachment, collaborators, signal);
  try {
    const mtu = node.mtu();
    const ips = await assign(request, attachment, collaborators, node, signal);
    const routes = await attach(container, attachment, { ips, mtu }, collaborators, node, signal);
    const readiness = request.routeReadiness ?? node.routeReadiness;
    await awaitRoutes(readiness, ips, container, attachment, collaborators, node, signal);
    return renderResult(cniVersion, { attachment, ips, routes, netns, mtu, dns: wish.dns, prevResult });
  } catch (error) {
    await undo(container, attachment, collaborators);
    throw error;
  }
}

async function attach(
  container: Container,
  attachment: Attachment,
  { ips, mtu }: { readonly ips: readonly Ip[]; readonly mtu: number },
  { endpoints, rtnetlink, sysctls }: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<readonly KernelRoute[]> {
  const revision = await endpoints.create(attachment, ips, { signal });
  await node.endpointsSeen(revision, { signal });
  await connect(rtnetlink, container, attachment, mtu);
  const routes = await configure(container, attachment, ips, sysctls);
  await awaitCarrier(
    [
      { rtnetlink, name: attachment.nodeEnd },
      { rtnetlink: container.rtnetlink, name: attachment.ifName },
    ],
    signal,
  );
  await awaitLocal(container.rtnetlink, ips, signal);
  signal.throwIfAborted();
  return routes;
}

async function awaitRoutes(
  readiness: RouteReadiness,
  ips: readonly Ip[],
  { netns }: Container,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<void> {
  if (readiness === "none") return;
  await awaitProgrammed(attachment, collaborators, signal);
  if (readiness === "peers")
    await Promise.all(ips.map((ip) => node.awaitPeers(ip, (action) => netns.run(action), { signal })));
  signal.throwIfAborted();
}

/** What cannot be undone now is left to DEL, which runtimes call after a failed ADD too; why ADD failed is what they are told. */
async function undo(
  container: Container,
  attachment: Attachment,
  collaborators: CniCollaborators,
): Promise<void> {
  try {
    await withdraw(container, attachment);
    await remove(attachment, collaborators);
  } catch (error) {
    const { containerId, ifName } = attachment;
    collaborators.log.warn("Cannot undo a failed ADD; its DEL will", {
      container: containerId,
      ifName,
      error,
    });
  }
}

async function requireFreeName(container: Container, { ifName, containerId }: Attachment): Promise<void> {
  if ((await findLink(container, ifName)) === undefined) return;
  throw new CniError(
    "invalidEnvironment",
    `Cannot add "${ifName}" to container "${containerId}": it has an interface of that name`,
  );
}

/** One address of each family that the container is to have. */
async function assign(
  { wish }: AddRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<readonly Ip[]> {
  const ips: Ip[] = [];
  // What fails with the second family is undone with the first.
  for (const { family, choices } of node.pools(wish)) {
    const ip = wish.ips.find((asked) => familyOf(asked) === family);
    ips.push(await assignOne({ family, ip, choices }, attachment, collaborators, node, signal));
  }
  if (ips.length > 0) collaborators.onAddresses();
  return ips;
}

interface Share {
  readonly family: Family;
  /** This address and no other. */
  readonly ip: Ip | undefined;
  /** The next only where the ones before have no address. */
  readonly choices: readonly (readonly IPPool[])[];
}

async function assignOne(
  { family, ip, choices }: Share,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<Ip> {
  const failures: string[] = [];
  for (const pools of choices) {
    const result = await assignFrom({ family, ip, pools }, attachment, collaborators, node, signal);
    switch (result.kind) {
      case "assigned":
        return result.address;
      case "exhausted":
        failures.push(result.message);
        break;
      case "taken":
      case "outside":
        throw new CniError("addressRefused", result.message);
    }
  }
  throw new CniError("noAddress", failures.join("; "));
}

async function assignFrom(
  {
    family,
    ip,
    pools,
  }: { readonly family: Family; readonly ip: Ip | undefined; readonly pools: readonly IPPool[] },
  attachment: Attachment,
  { allocator }: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<AssignResult> {
  return await allocator.assign({
    handleId: attachment.handleId,
    attributes: { node: node.nodeName, ...attributesOf(attachment) },
    pools,
    family,
    ...(ip !== undefined && { ip }),
    ...node.limits(),
    signal,
  });
}

async function awaitProgrammed(
  { nodeEnd }: Attachment,
  { dataplane }: CniCollaborators,
  signal: AbortSignal,
): Promise<void> {
  try {
    await dataplane.programmed(nodeEnd, { signal });
  } catch (cause) {
    const pending = dataplane.pendingOn(nodeEnd);
    throw new CniError(
      "tryAgainLater",
      `Cannot program "${nodeEnd}" on the node in time: ${pending.join("; ")}`,
      { cause },
    );
  }
}
