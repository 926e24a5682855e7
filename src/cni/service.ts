// SPDX-License-Identifier: Apache-2.0
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { deleteLink } from "../dataplane/netlink/link.ts";
import { DatastoreError } from "../datastore/store.ts";
import type { AssignResult } from "../ipam/assignment.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { Ip } from "../net/ip.ts";
import { Lock } from "../system/lock.ts";
import { describeError } from "../system/log.ts";
import { type Attachment, describeAttachment } from "./attachment.ts";
import { awaitCarrier } from "./carrier.ts";
import { check } from "./check.ts";
import type { CniCollaborators, NodeView, RouteReadiness } from "./collaborators.ts";
import { type Container, configure, connect, findLink, openContainer } from "./container.ts";
import { CniError } from "./error.ts";
import { type CniRequest, type RawCniRequest, parseCniRequest } from "./request.ts";
import { renderResult } from "./result.ts";

/** A call that takes longer than this has failed; the plugin itself gives up a little later. */
const CALL_TIMEOUT_MS = 25_000;

/** The agent's side of the plugin. Disposing it refuses further calls and waits for those under way. */
export interface CniService extends AsyncDisposable {
  /**
   * Carries out one call, or throws {@link CniError}; ADD is undone where the signal aborts before it is complete.
   * @returns the result to print; `undefined` where the specification wants none
   */
  handle(raw: RawCniRequest, options: Waiting): Promise<object | undefined>;
}

interface Waiting {
  readonly signal: AbortSignal;
}

export function createCniService(collaborators: CniCollaborators, node: NodeView): CniService {
  const calls = new Lock();
  let isStopping = false;
  return {
    async handle(raw, { signal }) {
      const request = parseCniRequest(raw);
      const attachment = describeAttachment(request.id);
      if (isStopping)
        throw new CniError(
          "tryAgainLater",
          `The Margay agent of node "${node.nodeName}" is stopping; try again`,
        );
      if (node.notReady !== undefined) throw new CniError("tryAgainLater", node.notReady);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
      // A runtime may not run two calls for one container at once; one that does must not confuse us.
      return calls.run(attachment.nodeEnd, async () => {
        try {
          return await carryOut(request, attachment, collaborators, node, limit);
        } catch (error) {
          throw asCniError(error);
        }
      });
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await calls.idle();
    },
  };
}

async function carryOut(
  request: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<object | undefined> {
  switch (request.command) {
    case "ADD":
      return add(request, attachment, collaborators, node, signal);
    case "DEL":
      await remove(attachment, collaborators);
      return undefined;
    case "CHECK":
      await check(request, attachment, collaborators, signal);
      return undefined;
  }
}

/**
 * Attaches a container, or leaves nothing. The endpoint is recorded before its interface exists, so that an interface without a
 * record is never one that is still being made.
 */
async function add(
  request: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<object> {
  const netns = request.netns ?? "";
  await collaborators.endpoints.requireFree(attachment, { signal });
  await using container = openContainer(netns);
  await requireFreeName(container, attachment);
  // What an attachment of the same name left: its interface is gone from the container, so it is dead.
  await remove(attachment, collaborators);
  try {
    const ip = await attach(request, container, attachment, collaborators, node, signal);
    await awaitRoutes(
      request.config.routeReadiness ?? node.routeReadiness,
      ip,
      container,
      attachment,
      collaborators,
      node,
      signal,
    );
    return renderResult(request.cniVersion, attachment, [ip], { netns, dns: request.config.dns });
  } catch (error) {
    await undo(attachment, collaborators);
    throw error;
  }
}

async function attach(
  request: CniRequest,
  container: Container,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<Ip> {
  const { endpoints, rtnetlink, sysctls } = collaborators;
  const ip = await assign(request, attachment, collaborators, node, signal);
  const revision = await endpoints.create(attachment, [ip], { signal });
  await node.endpointsSeen(revision, { signal });
  await connect(rtnetlink, container, attachment, node.mtu());
  await configure(container, attachment, [ip], sysctls);
  await awaitCarrier(
    [
      { rtnetlink, name: attachment.nodeEnd },
      { rtnetlink: container.rtnetlink, name: attachment.ifName },
    ],
    signal,
  );
  signal.throwIfAborted();
  return ip;
}

async function awaitRoutes(
  readiness: RouteReadiness,
  ip: Ip,
  { netns }: Container,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<void> {
  if (readiness === "none") return;
  await awaitProgrammed(attachment, collaborators, signal);
  if (readiness === "peers") await node.awaitPeers(ip, (action) => netns.run(action), { signal });
  signal.throwIfAborted();
}

/** What cannot be undone now is left to DEL, which runtimes call after a failed ADD too; why ADD failed is what they are told. */
async function undo(attachment: Attachment, collaborators: CniCollaborators): Promise<void> {
  try {
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

async function assign(
  { namespace, config: { ipam } }: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<Ip> {
  const wish = { namespace, ipv4Pools: ipam?.ipv4_pools, ipv6Pools: ipam?.ipv6_pools };
  const failures: string[] = [];
  for (const pools of node.pools(wish)) {
    const result = await assignFrom(pools, attachment, collaborators, node, signal);
    switch (result.kind) {
      case "assigned":
        collaborators.onAddresses();
        return result.address;
      case "exhausted":
        failures.push(result.message);
        break;
      case "taken":
      case "outside":
        throw new CniError("internal", result.message);
    }
  }
  throw new CniError("noAddress", failures.join("; "));
}

async function assignFrom(
  pools: readonly IPPool[],
  { handleId, network, containerId, ifName }: Attachment,
  { allocator }: CniCollaborators,
  node: NodeView,
  signal: AbortSignal,
): Promise<AssignResult> {
  return await allocator.assign({
    handleId,
    attributes: { node: node.nodeName, network, containerID: containerId, interface: ifName },
    pools,
    family: 4,
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

/** Takes an attachment away, as far as it is there. The interface goes first: nothing may use an address that is free again. */
async function remove(attachment: Attachment, collaborators: CniCollaborators): Promise<void> {
  await removeNodeEnd(attachment, collaborators.rtnetlink);
  await collaborators.endpoints.remove(attachment);
  await release(attachment, collaborators);
}

async function release(attachment: Attachment, collaborators: CniCollaborators): Promise<void> {
  const { handleId, network, containerId, ifName } = attachment;
  const attributes = { network, containerID: containerId, interface: ifName };
  const { released } = await collaborators.allocator.releaseByHandle(handleId, { attributes });
  if (released.length > 0) collaborators.onAddresses();
}

/** The other end, in the container, goes with it. */
async function removeNodeEnd({ nodeEnd }: Attachment, rtnetlink: Rtnetlink): Promise<void> {
  const [error] = await rtnetlink.execute([deleteLink({ name: nodeEnd })]);
  if (error !== undefined && error.code !== "ENODEV") throw error;
}

/** Anything that was thrown on the way, as the runtime is told of it. */
function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const message = describeError(error);
  if (error instanceof DatastoreError && error.code === "unavailable") {
    return new CniError("tryAgainLater", message, { cause: error });
  }
  // A call that ran out of time, or that nobody waits for any more.
  const isCut = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
  return new CniError(isCut ? "tryAgainLater" : "internal", message, { cause: error });
}
