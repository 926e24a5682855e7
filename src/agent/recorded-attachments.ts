// SPDX-License-Identifier: Apache-2.0
import { type AttachmentId, describeAttachment } from "../cni/attachment.ts";
import { DatastoreError, type Store } from "../datastore/store.ts";
import type { Calculation } from "../desired/calculation.ts";
import { type HeldAddress, addressesHeldBy } from "../ipam/held.ts";
import { parseWorkloadEndpointName } from "../model/workload-endpoint.ts";
import { parseIfName } from "../net/if-name.ts";
import type { AgentConfig } from "./config.ts";

export interface Records {
  readonly config: Pick<AgentConfig, "nodeName">;
  readonly store: Store;
  readonly calculation: Pick<Calculation, "blocksOf" | "endpoints">;
}

/** The attachments of the network that this node knows of: by their endpoints, and by their addresses, as far as the datastore answers. */
export async function recordedAttachments(
  network: string,
  records: Records,
): Promise<readonly AttachmentId[]> {
  const byNodeEnd = new Map(
    [...ofEndpoints(network, records), ...(await ofAddresses(network, records))].map((id) => [
      describeAttachment(id).nodeEnd,
      id,
    ]),
  );
  return [...byNodeEnd.values()];
}

/** An endpoint's name does not hold its network; the name of its node end does. */
function ofEndpoints(network: string, { calculation }: Records): readonly AttachmentId[] {
  return Array.from(calculation.endpoints(), ([name, { ifName: nodeEnd }]) => {
    const parts = parseWorkloadEndpointName(name);
    const id = parts && { network, containerId: parts.workload, ifName: parseIfName(parts.endpoint) };
    return id !== undefined && describeAttachment(id).nodeEnd === nodeEnd ? [id] : [];
  }).flat();
}

/** What an ADD has left that was cut off. */
async function ofAddresses(
  network: string,
  { config: { nodeName: name }, store, calculation }: Records,
): Promise<readonly AttachmentId[]> {
  try {
    const held = await addressesHeldBy(store, { name, borrowedFrom: calculation.blocksOf(name) }, {});
    return held.flatMap((address) => idOf(address, network));
  } catch (error) {
    if (error instanceof DatastoreError && error.code === "unavailable") return [];
    throw error;
  }
}

function idOf({ attributes }: HeldAddress, network: string): readonly AttachmentId[] {
  const { network: ofNetwork, containerID: containerId, interface: ifName } = attributes;
  if (ofNetwork !== network || containerId === undefined || ifName === undefined) return [];
  return [{ network, containerId, ifName: parseIfName(ifName) }];
}
