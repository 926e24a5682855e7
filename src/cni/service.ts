// SPDX-License-Identifier: Apache-2.0
import type { Dataplane } from "../dataplane/dataplane.ts";
import { deleteLink } from "../dataplane/netlink/link.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { SysctlFiles } from "../dataplane/sysctl.ts";
import { DatastoreError, type Revision } from "../datastore/store.ts";
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { cidrAddress } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { type Log, describeError } from "../system/log.ts";
import { type Attachment, describeAttachment } from "./attachment.ts";
import { type Container, configure, connect, findLink, inspect, openContainer } from "./container.ts";
import type { Endpoints } from "./endpoint.ts";
import { CniError } from "./error.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import { type CniRequest, type RawCniRequest, parseCniRequest } from "./request.ts";
import { renderResult } from "./result.ts";

/** How long ADD waits for the node end to be fully programmed. */
const PROGRAM_TIMEOUT_MS = 10_000;

export interface CniCollaborators {
  readonly allocator: Allocator;
  readonly endpoints: Endpoints;
  readonly dataplane: Dataplane;
  /** In the node's own namespace. */
  readonly rtnetlink: Rtnetlink;
  readonly sysctls: SysctlFiles;
  readonly log: Log;
}

/** What attachments need to know of the node, as it is now. */
export interface NodeView {
  /** Why no attachment can be made or removed yet; `undefined` once it can. */
  readonly notReady: string | undefined;
  readonly nodeName: string;
  /** Pools that this node takes addresses from; throws {@link CniError} where they cannot be used. */
  pools(): readonly IPPool[];
  /** How this node may take blocks. */
  limits(): Limits;
  /** MTU of containers, in bytes. */
  mtu(): Promise<number>;
  /** Resolves once the desired state takes the endpoint written at `revision` into account. */
  endpointsSeen(revision: Revision, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** The agent's side of the plugin: carries out one call, or throws {@link CniError}. */
export interface CniService {
  /** @returns the result to print; `undefined` where the specification wants none */
  handle(raw: RawCniRequest): Promise<object | undefined>;
}

export function createCniService(collaborators: CniCollaborators, node: NodeView): CniService {
  const queue = new KeyedQueue();
  return {
    async handle(raw) {
      const request = parseCniRequest(raw);
      const attachment = describeAttachment(request.id);
      if (node.notReady !== undefined) throw new CniError("tryAgainLater", node.notReady);
      // A runtime may not run two calls for one container at once; one that does must not confuse us.
      return queue.run(attachment.nodeEnd, async () => {
        try {
          return await carryOut(request, attachment, collaborators, node);
        } catch (error) {
          throw asCniError(error);
        }
      });
    },
  };
}

async function carryOut(
  request: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
): Promise<object | undefined> {
  switch (request.command) {
    case "ADD":
      return add(request, attachment, collaborators, node);
    case "DEL":
      await remove(attachment, collaborators);
      return undefined;
    case "CHECK":
      await check(request, attachment, collaborators);
      return undefined;
  }
}

/**
 * Attaches a container. Every step that leaves something behind is undone if a later one fails. The endpoint is recorded before its
 * interface exists, so that an interface without a record is always one to remove.
 */
async function add(
  request: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: NodeView,
): Promise<object> {
  const { endpoints, rtnetlink, sysctls } = collaborators;
  const netns = request.netns ?? "";
  await using container = openContainer(netns);
  await requireFreeName(container, attachment);
  await clearStale(attachment, collaborators);

  await using undo = new AsyncDisposableStack();
  undo.defer(() => release(attachment, collaborators));
  const ip = await assign(attachment, collaborators, node);
  undo.defer(() => endpoints.remove(attachment));
  const revision = await endpoints.create(attachment, [ip]);
  const signal = AbortSignal.timeout(PROGRAM_TIMEOUT_MS);
  await node.endpointsSeen(revision, { signal });
  undo.defer(() => removeNodeEnd(attachment, rtnetlink));
  await connect(rtnetlink, container, attachment, await node.mtu());
  await configure(container, attachment, [ip], sysctls);
  await awaitProgrammed(attachment, collaborators, signal);
  undo.move();
  return renderResult(request.cniVersion, attachment, [ip], { netns, dns: request.config.dns });
}

async function requireFreeName(container: Container, { ifName, containerId }: Attachment): Promise<void> {
  if ((await findLink(container, ifName)) === undefined) return;
  throw new CniError(
    "invalidEnvironment",
    `Cannot add "${ifName}" to container "${containerId}": it has an interface of that name`,
  );
}

/** What an attachment of the same name left behind: its interface is gone, or the check before would have failed. */
async function clearStale(attachment: Attachment, collaborators: CniCollaborators): Promise<void> {
  if ((await collaborators.endpoints.find(attachment)) === undefined) return;
  collaborators.log.info("Clearing what an earlier attachment left", {
    container: attachment.containerId,
    ifName: attachment.ifName,
  });
  await remove(attachment, collaborators);
}

async function assign(attachment: Attachment, { allocator }: CniCollaborators, node: NodeView): Promise<Ip> {
  const { handleId, network, containerId, ifName } = attachment;
  const result = await allocator.assign({
    handleId,
    attributes: { node: node.nodeName, network, containerID: containerId, interface: ifName },
    pools: node.pools(),
    family: 4,
    ...node.limits(),
  });
  switch (result.kind) {
    case "assigned":
      return result.address;
    case "exhausted":
      throw new CniError("noAddress", result.message);
    case "taken":
    case "outside":
      throw new CniError("internal", result.message);
  }
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

/** A block that is empty then goes back to the pool, unless it is the node's last: that one stays announced, ready for the next container. */
async function release(attachment: Attachment, { allocator }: CniCollaborators): Promise<void> {
  const { handleId, network, containerId, ifName } = attachment;
  const attributes = { network, containerID: containerId, interface: ifName };
  const { released } = await allocator.releaseByHandle(handleId, { attributes });
  if (released.length > 0) await allocator.releaseEmptyBlocks(4, { keep: 1 });
}

/** The other end, in the container, goes with it. */
async function removeNodeEnd({ nodeEnd }: Attachment, rtnetlink: Rtnetlink): Promise<void> {
  const [error] = await rtnetlink.execute([deleteLink({ name: nodeEnd })]);
  if (error !== undefined && error.code !== "ENODEV") throw error;
}

/** Fails where the attachment is not as ADD left it (specification section 4, "CHECK"), naming every difference. */
async function check(
  request: CniRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
): Promise<void> {
  const { containerId, ifName } = attachment;
  const endpoint = await collaborators.endpoints.find(attachment);
  if (endpoint === undefined) {
    throw new CniError(
      "checkFailed",
      `Cannot confirm "${ifName}" of container "${containerId}": the node has no record of it`,
    );
  }
  const ips = endpoint.spec.ipNetworks.map(cidrAddress);
  await using container = openContainer(request.netns ?? "");
  const faults = [
    ...resultFaults(request, ips),
    ...(await inspect(container, attachment, ips)),
    ...collaborators.dataplane.pendingOn(attachment.nodeEnd),
    ...(await ipamFaults(attachment, ips, collaborators)),
  ];
  if (faults.length > 0)
    throw new CniError(
      "checkFailed",
      `Cannot confirm "${ifName}" of container "${containerId}": ${faults.join("; ")}`,
    );
}

function resultFaults({ config }: CniRequest, ips: readonly Ip[]): readonly string[] {
  const known = config.prevResult?.ips?.map(({ address }) => address.split("/")[0]) ?? [];
  return ips.filter((ip) => !known.includes(ip)).map((ip) => `prevResult does not list address "${ip}"`);
}

async function ipamFaults(
  { handleId }: Attachment,
  ips: readonly Ip[],
  { allocator }: CniCollaborators,
): Promise<readonly string[]> {
  const holders = await Promise.all(ips.map((ip) => allocator.lookup(ip)));
  return ips
    .filter((_, index) => holders[index]?.allocation?.handleId !== handleId)
    .map((ip) => `address "${ip}" is not recorded as the container's`);
}

/** Anything that was thrown on the way, as the runtime is told of it. */
function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const message = describeError(error);
  if (error instanceof DatastoreError && error.code === "unavailable") {
    return new CniError("tryAgainLater", message, { cause: error });
  }
  return new CniError("internal", message, { cause: error });
}
