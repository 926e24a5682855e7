// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { isIdentifier, isSubdomain } from "./name.ts";
import { labelsField } from "./schema.ts";

/** The group and version of every resource. */
export const API_VERSION = "projectcalico.org/v3";

export interface Metadata {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; Go writes `null` where it is not set. */
  readonly creationTimestamp?: string | null;
  readonly uid?: string;
  /** The store's revision as text: shown, and compared when it comes back, but never stored. */
  readonly resourceVersion?: string;
}

export interface NamespacedMetadata extends Metadata {
  readonly namespace: string;
}

/** A resource as it is stored and as people write it. */
export interface Resource<Kind extends string, Spec, Meta extends Metadata = Metadata> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: Kind;
  readonly metadata: Meta;
  readonly spec: Spec;
}

/** What the cluster reports back about a resource. */
export interface WithStatus<Status> {
  readonly status?: Status;
}

const common = {
  labels: labelsField.exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  creationTimestamp: z.string().nullable().exactOptional(),
  uid: z.string().exactOptional(),
  resourceVersion: z.string().exactOptional(),
};
const subdomain = z
  .string()
  .refine(isSubdomain, "want a lower-case RFC 1123 subdomain")
  .meta({ title: "name" });
/** A workload endpoint's name holds a container ID, which may have upper-case letters and underscores. */
const identifier = z
  .string()
  .refine(isIdentifier, "want letters, digits, hyphens, underscores and dots only")
  .meta({ title: "name" });
const clusterMetadata = z.strictObject({ name: subdomain, ...common });
const namespacedMetadata = z.strictObject({ name: identifier, namespace: subdomain, ...common });

/** The schema of a resource that belongs to the cluster. */
export function clusterResource<Kind extends string, Spec>(
  kind: Kind,
  spec: z.ZodType<Spec>,
): z.ZodType<Resource<Kind, Spec>> {
  return z.strictObject({ ...head(kind), metadata: clusterMetadata, spec });
}

/** The schema of a resource that belongs to the cluster and has a status. */
export function clusterResourceWithStatus<Kind extends string, Spec, Status>(
  kind: Kind,
  spec: z.ZodType<Spec>,
  status: z.ZodType<Status>,
): z.ZodType<Resource<Kind, Spec> & WithStatus<Status>> {
  return z.strictObject({
    ...head(kind),
    metadata: clusterMetadata,
    spec,
    status: z.exactOptional(status),
  });
}

/** The schema of a resource that belongs to a namespace. */
export function namespacedResource<Kind extends string, Spec>(
  kind: Kind,
  spec: z.ZodType<Spec>,
): z.ZodType<Resource<Kind, Spec, NamespacedMetadata>> {
  return z.strictObject({ ...head(kind), metadata: namespacedMetadata, spec });
}

function head<Kind extends string>(
  kind: Kind,
): { apiVersion: z.ZodLiteral<typeof API_VERSION>; kind: z.ZodLiteral<Kind> } {
  return { apiVersion: z.literal(API_VERSION), kind: z.literal(kind) };
}
