// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Revision, type Store } from "../datastore/store.ts";
import { resourceKey } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import { API_VERSION, parseStoredResource } from "../model/resource.ts";
import { type WorkloadEndpoint, workloadEndpointName } from "../model/workload-endpoint.ts";
import { hostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Attachment } from "./attachment.ts";
import { CniError } from "./error.ts";

/** Containers without an orchestrator live in this namespace. */
export const ENDPOINT_NAMESPACE = "default";

/** The WorkloadEndpoint of an attachment, as Calico's plugin writes it for runtimes other than Kubernetes. */
export function renderEndpoint(node: NodeName, attachment: Attachment, ips: readonly Ip[]): WorkloadEndpoint {
  const { containerId, ifName, mac, nodeEnd } = attachment;
  const identity = {
    orchestrator: "cni",
    workload: containerId,
    node,
    containerID: containerId,
    endpoint: ifName,
  };
  return {
    apiVersion: API_VERSION,
    kind: "WorkloadEndpoint",
    metadata: { name: workloadEndpointName(identity), namespace: ENDPOINT_NAMESPACE },
    spec: { ...identity, ipNetworks: ips.map(hostCidr), interfaceName: nodeEnd, mac },
  };
}

/** The datastore's record of which attachments exist on this node. */
export interface Endpoints {
  find(attachment: Attachment): Promise<WorkloadEndpoint | undefined>;
  /** Records a new attachment; throws {@link CniError} where there is one already. */
  create(attachment: Attachment, ips: readonly Ip[]): Promise<Revision>;
  /** Succeeds also where there is none. */
  remove(attachment: Attachment): Promise<void>;
}

export function createEndpoints(store: Store, node: NodeName): Endpoints {
  const keyOf = (attachment: Attachment): string => {
    const { metadata } = renderEndpoint(node, attachment, []);
    return resourceKey("WorkloadEndpoint", metadata.name, metadata.namespace);
  };
  return {
    async find(attachment) {
      const key = keyOf(attachment);
      const entry = await store.get(key);
      if (entry === undefined) return undefined;
      const stored = parseStoredResource("WorkloadEndpoint", JSON.parse(entry.value));
      if (stored.kind === "ok") return stored.value;
      throw new DatastoreError(
        "corrupt",
        `Cannot use what is stored under "${key}": it is no WorkloadEndpoint`,
      );
    },
    async create(attachment, ips) {
      const endpoint = renderEndpoint(node, attachment, ips);
      const result = await store.put(keyOf(attachment), JSON.stringify(endpoint), { expect: "absent" });
      if (result.kind === "written") return result.revision;
      throw new CniError(
        "invalidEnvironment",
        `Cannot add "${attachment.ifName}" to container "${attachment.containerId}": it is attached already`,
      );
    },
    async remove(attachment) {
      await store.delete(keyOf(attachment));
    },
  };
}
