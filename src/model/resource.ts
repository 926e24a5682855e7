// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import { type BGPConfiguration, bgpConfigurationSchema } from "./bgp-configuration.ts";
import { type BGPFilter, bgpFilterSchema } from "./bgp-filter.ts";
import { type BGPPeer, bgpPeerSchema } from "./bgp-peer.ts";
import { type FelixConfiguration, felixConfigurationSchema } from "./felix-configuration.ts";
import { type IPPool, ipPoolSchema } from "./ip-pool.ts";
import { type IPReservation, ipReservationSchema } from "./ip-reservation.ts";
import { type IPAMConfig, ipamConfigSchema } from "./ipam-config.ts";
import { type Issue, type Parsed, parseWith } from "./issue.ts";
import { type Node, nodeSchema } from "./node.ts";
import { type WorkloadEndpoint, workloadEndpointSchema } from "./workload-endpoint.ts";

export * from "./issue.ts";
export { API_VERSION, type Metadata, type NamespacedMetadata, type Resource } from "./metadata.ts";

/** Every kind of resource, by the name it has in manifests. */
export interface Resources {
  readonly Node: Node;
  readonly IPPool: IPPool;
  readonly IPReservation: IPReservation;
  readonly IPAMConfig: IPAMConfig;
  readonly WorkloadEndpoint: WorkloadEndpoint;
  readonly BGPConfiguration: BGPConfiguration;
  readonly BGPPeer: BGPPeer;
  readonly BGPFilter: BGPFilter;
  readonly FelixConfiguration: FelixConfiguration;
}
export type Kind = keyof Resources;
export type AnyResource = Resources[Kind];

/** What each kind is checked by. */
export const SCHEMAS: { readonly [K in Kind]: z.ZodType<Resources[K]> } = {
  Node: nodeSchema,
  IPPool: ipPoolSchema,
  IPReservation: ipReservationSchema,
  IPAMConfig: ipamConfigSchema,
  WorkloadEndpoint: workloadEndpointSchema,
  BGPConfiguration: bgpConfigurationSchema,
  BGPPeer: bgpPeerSchema,
  BGPFilter: bgpFilterSchema,
  FelixConfiguration: felixConfigurationSchema,
};

/** Every kind, sorted by name. */
export const ALL_KINDS: readonly Kind[] = Object.keys(SCHEMAS).filter(isKind).toSorted();

export function isKind(text: string): text is Kind {
  return Object.hasOwn(SCHEMAS, text);
}

/** Checks a value that should be a resource of the kind, and fills in the defaults. An unknown field is an issue. */
export function parseResource<K extends Kind>(kind: K, value: unknown): Parsed<Resources[K]> {
  return parseWith<Resources[K]>(SCHEMAS[kind], value);
}

/** A value from the datastore: `ignored` are the fields that this version does not know. */
export type Stored<T> =
  | { readonly kind: "ok"; readonly value: T; readonly ignored: readonly Issue[] }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

/**
 * As {@link parseResource}, but for what other programs wrote: a newer Margay or a Calico node may have set fields that
 * are not known here. They are left out of the value and told, while every other fault counts.
 */
export function parseStoredResource<K extends Kind>(kind: K, value: unknown): Stored<Resources[K]> {
  const first = parseResource(kind, value);
  if (first.kind === "ok") return { ...first, ignored: [] };
  const ignored = first.issues.filter(({ code }) => code === "unknown-field");
  if (ignored.length === 0) return first;
  const unknown = new Set(ignored.map(({ path }) => path));
  const second = parseResource(kind, without(value, unknown, ""));
  return second.kind === "ok" ? { ...second, ignored } : second;
}

/** The value without the fields at the given paths, as issues write paths. */
function without(value: unknown, paths: ReadonlySet<string>, at: string): unknown {
  if (Array.isArray(value)) return value.map((item, index) => without(item, paths, `${at}[${index}]`));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value)
    .map(([key, field]) => ({ key, field: field as unknown, path: at === "" ? key : `${at}.${key}` }))
    .filter(({ path }) => !paths.has(path))
    .map(({ key, field, path }) => [key, without(field, paths, path)]);
  return Object.fromEntries(kept);
}
