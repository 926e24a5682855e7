// SPDX-License-Identifier: Apache-2.0
import { connectStore } from "../datastore/client.ts";
import type { Store } from "../datastore/store.ts";
import type { FelixConfiguration } from "../model/felix-configuration.ts";
import { unwrap } from "../model/issue.ts";
import { resourceKey } from "../model/keys.ts";
import { API_VERSION, type AnyResource, parseResource } from "../model/resource.ts";
import type { Layout } from "./layout.ts";
import type { RouteSource, Topology } from "./topology-schema.ts";

/** The lab's configuration as resources: its pools, and who writes the routes. Always the same for the same lab. */
export function planResources(topology: Topology, routeSource: RouteSource): readonly AnyResource[] {
  return [...topology.pools, felixConfiguration(routeSource)];
}

/** Brings the resources into the datastore that the first host's agent serves. */
export async function applyResources(
  layout: Layout,
  topology: Topology,
  routeSource: RouteSource,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await using store = connectStore({ socketPath: layout.host(firstHost(topology)).agentSocket });
  for (const resource of planResources(topology, routeSource)) await applyResource(store, resource, signal);
}

/** The host whose agent holds the datastore. */
export function firstHost({ hosts: [first] }: Topology): string {
  if (first === undefined) throw new RangeError("Cannot find the first host: the topology has none");
  return first.name;
}

/** What is there already keeps its revision, so that nobody is woken for nothing. */
async function applyResource(store: Store, resource: AnyResource, signal: AbortSignal): Promise<void> {
  const key = resourceKey(resource.kind, resource.metadata.name);
  const value = JSON.stringify(resource);
  const current = await store.get(key, { signal });
  if (current?.value !== value) await store.put(key, value, { signal });
}

function felixConfiguration(routeSource: RouteSource): FelixConfiguration {
  const resource = {
    apiVersion: API_VERSION,
    kind: "FelixConfiguration",
    metadata: { name: "default" },
    spec: { programClusterRoutes: routeSource === "datastore" ? "Enabled" : "Disabled" },
  };
  return unwrap(parseResource("FelixConfiguration", resource), "FelixConfiguration");
}
