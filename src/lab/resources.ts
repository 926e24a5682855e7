// SPDX-License-Identifier: Apache-2.0
import { connectStore } from "../datastore/client.ts";
import { applyResource } from "../datastore/resources.ts";
import { type AnyResource, formatIssues } from "../model/resource.ts";
import { LabError } from "./error.ts";
import type { Layout } from "./layout.ts";
import { setRouteSource } from "./topology.ts";
import type { RouteSource, Topology } from "./topology-schema.ts";

/** The lab's configuration as resources: its pools and settings, with the source of routes that holds now. */
export function planResources(topology: Topology, routeSource: RouteSource): readonly AnyResource[] {
  const settings = topology.settings.map((setting) =>
    setting.kind === "FelixConfiguration" ? setRouteSource(setting, routeSource) : setting,
  );
  return [...topology.pools, ...settings, ...topology.resources];
}

/** Brings the resources into the datastore that the first host's agent serves. What is there already keeps its revision, so that nobody is woken for nothing. */
export async function applyResources(
  layout: Layout,
  topology: Topology,
  routeSource: RouteSource,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await using store = connectStore({ socketPath: layout.host(firstHost(topology)).agentSocket });
  for (const resource of planResources(topology, routeSource)) {
    const outcome = await applyResource(store, resource, { signal });
    if (outcome.kind !== "invalid") continue;
    const what = `${resource.kind} "${resource.metadata.name}"`;
    throw new LabError("failed", `Cannot apply ${what} of the topology: ${formatIssues(outcome.issues)}`);
  }
}

/** The host whose agent holds the datastore. */
export function firstHost({ hosts: [first] }: Topology): string {
  if (first === undefined) throw new RangeError("Cannot find the first host: the topology has none");
  return first.name;
}
