// SPDX-License-Identifier: Apache-2.0
import {
  DatastoreError,
  type Entry,
  type Revision,
  type Store,
  type WaitOptions,
} from "../datastore/store.ts";
import { resourceKey } from "../model/keys.ts";
import type { NodeName } from "../model/name.ts";
import { API_VERSION, parseStoredResource } from "../model/resource.ts";
import {
  ENDPOINT_NAMESPACE,
  type WorkloadEndpoint,
  workloadEndpointName,
} from "../model/workload-endpoint.ts";
import { hostCidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Attachment } from "./attachment.ts";
import { CniError } from "./error.ts";

/** The WorkloadEndpoint of an attachment, as Calico's plugin writes it for runtimes other than Kubernetes. */
export function renderEndpoint(node: NodeName, attachment: Attachment, ips: readonly Ip[]): WorkloadEndpoint {
  const { containerId, ifName, mac, nodeEnd } = attachment;
  const identity = identityOf(node, containerId, ifName);
  return {
    apiVersion: API_VERSION,
    kind: "WorkloadEndpoint",
    metadata: { name: workloadEndpointName(identity), namespace: ENDPOINT_NAMESPACE },
    spec: { ...identity, ipNetworks: ips.map(hostCidr), interfaceName: nodeEnd, mac },
  };
}

function identityOf(node: NodeName, containerID: string, endpoint: string) {
  return { orchestrator: "cni", workload: containerID, node, containerID, endpoint } as const;
}

/** The datastore's record of which attachments exist on this node. */
export interface Endpoints {
  /** The record of this very attachment; another network's of the same container and interface name is not it. */
  find(attachment: Attachment, options: WaitOptions): Promise<WorkloadEndpoint | undefined>;
  /** Throws {@link CniError} where the attachment cannot be recorded: it has no name, or another network has taken it. */
  requireFree(attachment: Attachment, options: WaitOptions): Promise<void>;
  /** Records a new attachment; throws {@link CniError} where there is one already, or where it cannot be named. */
  create(attachment: Attachment, ips: readonly Ip[], options: WaitOptions): Promise<Revision>;
  /** Removes the record of this very attachment; succeeds also where there is none. */
  remove(attachment: Attachment, options?: WaitOptions): Promise<void>;
}

export function createEndpoints(store: Store, node: NodeName): Endpoints {
  const read = async (attachment: Attachment, options: WaitOptions = {}): Promise<Recorded | undefined> => {
    const key = keyOf(node, attachment);
    const entry = key === undefined ? undefined : await store.get(key, options);
    if (entry === undefined) return undefined;
    const endpoint = parseEndpoint(entry);
    return isOf(attachment, endpoint) ? { entry, endpoint } : undefined;
  };
  return {
    async find(attachment, options) {
      return (await read(attachment, options))?.endpoint;
    },
    async requireFree(attachment, options) {
      const entry = await store.get(requireKey(node, attachment), options);
      if (entry !== undefined && !isOf(attachment, parseEndpoint(entry))) throw takenByAnother(attachment);
    },
    async create(attachment, ips, options) {
      const key = requireKey(node, attachment);
      const endpoint = renderEndpoint(node, attachment, ips);
      const result = await store.put(key, JSON.stringify(endpoint), { ...options, expect: "absent" });
      if (result.kind === "written") return result.revision;
      throw takenByAnother(attachment);
    },
    async remove(attachment, options = {}) {
      const recorded = await read(attachment, options);
      if (recorded === undefined) return;
      const { key, revision } = recorded.entry;
      const result = await store.delete(key, { ...options, expect: revision });
      // Written meanwhile: what stands there now is looked at anew.
      if (result.kind === "conflict" && result.current !== undefined) await this.remove(attachment, options);
    },
  };
}

interface Recorded {
  readonly entry: Entry;
  readonly endpoint: WorkloadEndpoint;
}

/** The node end's name holds the network, which the record's key does not. */
function isOf({ nodeEnd }: Attachment, { spec }: WorkloadEndpoint): boolean {
  return spec.interfaceName === nodeEnd;
}

function takenByAnother({ containerId, ifName }: Attachment): CniError {
  const message = `Cannot add "${ifName}" to container "${containerId}": another network has attached it`;
  return new CniError("invalidEnvironment", message);
}

function requireKey(node: NodeName, attachment: Attachment): string {
  const key = keyOf(node, attachment);
  if (key !== undefined) return key;
  const { containerId, ifName } = attachment;
  const message = `Cannot record "${ifName}" of container "${containerId}": Calico's endpoint names have no form for these`;
  throw new CniError("invalidEnvironment", message);
}

/** `undefined` where an endpoint of these parts cannot be named, and so cannot exist. */
function keyOf(node: NodeName, { containerId, ifName }: Attachment): string | undefined {
  try {
    return resourceKey(
      "WorkloadEndpoint",
      workloadEndpointName(identityOf(node, containerId, ifName)),
      ENDPOINT_NAMESPACE,
    );
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseEndpoint({ key, value }: Entry): WorkloadEndpoint {
  const stored = parseStoredResource("WorkloadEndpoint", JSON.parse(value));
  if (stored.kind === "ok") return stored.value;
  throw new DatastoreError("corrupt", `Cannot use what is stored under "${key}": it is no WorkloadEndpoint`);
}
