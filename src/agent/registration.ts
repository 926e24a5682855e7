// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Entry, type Store } from "../datastore/store.ts";
import type { RouteSource } from "../desired/facts.ts";
import { formatIssues } from "../model/issue.ts";
import { resourceKey } from "../model/keys.ts";
import { mergePatch } from "../model/merge-patch.ts";
import { API_VERSION, parseStoredResource } from "../model/resource.ts";
import type { AgentConfig } from "./config.ts";
import { ROUTE_SOURCE_ANNOTATION } from "./facts.ts";

/** What an agent says of its node in the datastore. */
export interface Registration {
  /** Records the node and its address; whatever else the resource holds stays. */
  register(): Promise<void>;
  /** Tells the other nodes whether this one relies on BIRD, and announces by it. */
  announceRouteSource(source: RouteSource): Promise<void>;
}

export function createRegistration(store: Store, { nodeName, address }: AgentConfig): Registration {
  const key = resourceKey("Node", nodeName);
  const empty = { apiVersion: API_VERSION, kind: "Node", metadata: { name: nodeName }, spec: {} };
  const patch = (change: object): Promise<void> => patchNode(store, key, empty, change);
  return {
    register: () => patch({ spec: { bgp: { ipv4Address: address } } }),
    announceRouteSource: (source) =>
      patch({ metadata: { annotations: { [ROUTE_SOURCE_ANNOTATION]: source } } }),
  };
}

/** Reads, merges and writes until nobody else has written in between; writes nothing where nothing changes. */
async function patchNode(store: Store, key: string, empty: object, change: object): Promise<void> {
  for (;;) {
    const entry = await store.get(key);
    const text = JSON.stringify(mergePatch(entry === undefined ? empty : readNode(entry), change));
    if (text === entry?.value) return;
    const result = await store.put(key, text, { expect: entry?.revision ?? "absent" });
    if (result.kind === "written") return;
  }
}

/** The stored JSON itself, with the fields that this version does not know, once it is seen to be a Node. */
function readNode({ key, value }: Entry): unknown {
  const node: unknown = JSON.parse(value);
  const stored = parseStoredResource("Node", node);
  if (stored.kind === "ok") return node;
  throw new DatastoreError(
    "corrupt",
    `Cannot use what is stored under "${key}": ${formatIssues(stored.issues)}`,
  );
}
