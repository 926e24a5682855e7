// SPDX-License-Identifier: Apache-2.0
import { hasAttributes } from "../ipam/block.ts";
import { cidrAddress } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { type Attachment, attributesOf } from "./attachment.ts";
import type { CniCollaborators } from "./collaborators.ts";
import { inspect, openContainer } from "./container.ts";
import { CniError } from "./error.ts";
import type { CheckRequest } from "./request.ts";

/** How long the node's side may take to be as it should. */
const NODE_TIMEOUT_MS = 3000;

/** Fails where the attachment is not as ADD left it (specification section 4, "CHECK"), naming every difference. */
export async function check(
  request: CheckRequest,
  attachment: Attachment,
  collaborators: CniCollaborators,
  signal: AbortSignal,
): Promise<void> {
  const { containerId, ifName } = attachment;
  const endpoint = await collaborators.endpoints.find(attachment, { signal });
  if (endpoint === undefined) {
    throw new CniError(
      "checkFailed",
      `Cannot confirm "${ifName}" of container "${containerId}": the node has no record of it`,
    );
  }
  const ips = endpoint.spec.ipNetworks.map(cidrAddress);
  await using container = openContainer(request.netns);
  const faults = [
    ...resultFaults(request, ips),
    ...(await inspect(container, { ...attachment, mac: endpoint.spec.mac ?? attachment.mac }, ips)),
    ...(await nodeFaults(attachment, collaborators, signal)),
    ...(await ipamFaults(attachment, ips, collaborators)),
  ];
  if (faults.length > 0)
    throw new CniError(
      "checkFailed",
      `Cannot confirm "${ifName}" of container "${containerId}": ${faults.join("; ")}`,
    );
}

/** What is only about to be applied, after an event or at an audit, gets its time: it is no fault yet. */
async function nodeFaults(
  { nodeEnd }: Attachment,
  { dataplane }: CniCollaborators,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(NODE_TIMEOUT_MS)]);
  await dataplane.programmed(nodeEnd, { signal: limit }).catch(() => undefined);
  return dataplane.pendingOn(nodeEnd);
}

function resultFaults({ prevResult }: CheckRequest, ips: readonly Ip[]): readonly string[] {
  const known = prevResult.ips?.map(({ address }) => address.split("/")[0]) ?? [];
  return ips.filter((ip) => !known.includes(ip)).map((ip) => `prevResult does not list address "${ip}"`);
}

async function ipamFaults(
  attachment: Attachment,
  ips: readonly Ip[],
  { allocator }: CniCollaborators,
): Promise<readonly string[]> {
  const wanted = attributesOf(attachment);
  const holders = await Promise.all(ips.map((ip) => allocator.lookup(ip)));
  const isHeld = (_: Ip, index: number): boolean => {
    const allocation = holders[index]?.allocation;
    return allocation !== undefined && hasAttributes(allocation, wanted);
  };
  return ips
    .filter((ip, index) => !isHeld(ip, index))
    .map((ip) => `address "${ip}" is not recorded as the container's`);
}
