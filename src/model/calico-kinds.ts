// SPDX-License-Identifier: Apache-2.0
import { type JsonObject, memberAt } from "./json.ts";
import { RESOURCES, isNamespaced, pluralOf, resourceKey } from "./keys.ts";
import { API_VERSION, isKind } from "./resource.ts";

/** Calico's kinds that nothing here acts on; what is stored of them is kept, and moved with the rest (libcalico-go/lib/apis/v3). */
const OTHER_KINDS: Readonly<Record<string, { readonly plural: string; readonly namespaced: boolean }>> = {
  CalicoNodeStatus: { plural: "caliconodestatuses", namespaced: false },
  ClusterInformation: { plural: "clusterinformations", namespaced: false },
  GlobalNetworkPolicy: { plural: "globalnetworkpolicies", namespaced: false },
  GlobalNetworkSet: { plural: "globalnetworksets", namespaced: false },
  HostEndpoint: { plural: "hostendpoints", namespaced: false },
  KubeControllersConfiguration: { plural: "kubecontrollersconfigurations", namespaced: false },
  NetworkPolicy: { plural: "networkpolicies", namespaced: true },
  NetworkSet: { plural: "networksets", namespaced: true },
  Profile: { plural: "profiles", namespaced: false },
  StagedGlobalNetworkPolicy: { plural: "stagedglobalnetworkpolicies", namespaced: false },
  StagedKubernetesNetworkPolicy: { plural: "stagedkubernetesnetworkpolicies", namespaced: true },
  StagedNetworkPolicy: { plural: "stagednetworkpolicies", namespaced: true },
  Tier: { plural: "tiers", namespaced: false },
};

/** Where Calico stores resources of the kind, be it one that is served here or not; `undefined` for a kind that Calico does not have. */
function placeOf(kind: string): { readonly plural: string; readonly namespaced: boolean } | undefined {
  if (isKind(kind)) return { plural: pluralOf(kind), namespaced: isNamespaced(kind) };
  return Object.hasOwn(OTHER_KINDS, kind) ? OTHER_KINDS[kind] : undefined;
}

/** The key that Calico stores the resource under; `undefined` where it is none of Calico's, or its name would lead to another key. */
export function calicoKey(resource: JsonObject): string | undefined {
  const { apiVersion, kind } = resource;
  const place = typeof kind === "string" ? placeOf(kind) : undefined;
  if (place === undefined || apiVersion !== API_VERSION) return undefined;
  const name = memberAt(resource, "metadata", "name");
  const namespace = memberAt(resource, "metadata", "namespace");
  if (!isPart(name) || (place.namespaced ? !isPart(namespace) : namespace !== undefined)) return undefined;
  if (typeof kind === "string" && isKind(kind))
    return keyOrNothing(() => resourceKey(kind, name, isPart(namespace) ? namespace : undefined));
  return `${RESOURCES}${place.plural}/${place.namespaced ? `${String(namespace)}/` : ""}${name}`;
}

function isPart(name: unknown): name is string {
  return typeof name === "string" && name !== "" && !name.includes("/");
}

function keyOrNothing(key: () => string): string | undefined {
  try {
    return key();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
