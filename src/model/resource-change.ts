// SPDX-License-Identifier: Apache-2.0
import type { Issue } from "./issue.ts";
import { type JsonObject, isJsonObject, memberAt } from "./json.ts";
import type { ResourceId } from "./keys.ts";
import { mergePatch } from "./merge-patch.ts";
import { API_VERSION, type AnyResource, type Kind, parseStoredResource } from "./resource.ts";
import { pickFields } from "./unknown-fields.ts";

/** What identifies a resource that is new in the datastore. */
export interface Birth {
  readonly uid: string;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** The JSON to store for a resource that was not there; `uid` and `creationTimestamp` are set as Calico sets them. Its status is the cluster's to report. */
export function createStored(written: AnyResource, { uid, nowMs }: Birth): JsonObject {
  const { metadata, ...resource } = withoutStatus(written);
  const { resourceVersion, ...kept } = metadata;
  // RFC 3339 to the second, as Kubernetes' meta/v1 writes times.
  const creationTimestamp = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  return order({ ...resource, metadata: { ...kept, uid, creationTimestamp } });
}

/**
 * The JSON to store in place of `before` where a person gives the whole resource: their `spec`, `labels` and `annotations`; what identifies the resource, the status that the
 * cluster reports, and fields of newer versions stay. Of a Node, the agent writes half: there the person's part is merged into what stands.
 */
export function replaceStored(before: JsonObject, resource: AnyResource): JsonObject {
  const { metadata, ...rest } = withoutStatus(resource);
  const { resourceVersion, uid, creationTimestamp, ...written } = metadata;
  if (resource.kind === "Node") return order(mergePatch(before, { ...rest, metadata: written }));
  const born = pickFields(before, new Set(["metadata.uid", "metadata.creationTimestamp", "status"]));
  const replacement = mergePatch(born, { ...rest, metadata: written });
  return order(mergePatch(pickFields(before, unknownFields(resource.kind, before)), replacement));
}

function withoutStatus(resource: AnyResource): Omit<AnyResource, "status"> {
  if (!("status" in resource)) return resource;
  const { status, ...rest } = resource;
  return rest;
}

/** Paths of the fields of a stored value that this version does not know. */
export function unknownFields(kind: Kind, value: unknown): ReadonlySet<string> {
  const stored = parseStoredResource(kind, value);
  const issues = stored.kind === "ok" ? stored.ignored : stored.issues;
  return new Set(issues.filter(({ code }) => code === "unknown-field").map(({ path }) => path));
}

/** Paths of the fields that this version does not know, and that are not there any more afterwards. */
export function lostFields(kind: Kind, before: unknown, after: unknown): readonly string[] {
  const kept = unknownFields(kind, after);
  return [...unknownFields(kind, before)].filter((path) => !kept.has(path));
}

/** What a stored value may not become: another resource, one with changed immutable fields, or one with new faults. */
export function changeIssues(id: ResourceId, before: JsonObject, after: unknown): readonly Issue[] {
  const stored = parseStoredResource(id.kind, after);
  const known = unknownFields(id.kind, before);
  const faults = (stored.kind === "ok" ? stored.ignored : stored.issues).filter(
    ({ code, path }) => code !== "unknown-field" || !known.has(path),
  );
  if (faults.length > 0) return faults;
  const immutable = immutableFields(id.kind).flatMap((path) => immutabilityIssues(path, before, after));
  return [...identityIssues(id, before, after), ...immutable];
}

function identityIssues({ name, namespace }: ResourceId, before: unknown, after: unknown): readonly Issue[] {
  const same = (path: string, wanted: unknown): readonly Issue[] =>
    memberAt(after, ...path.split(".")) === wanted
      ? []
      : [{ code: "invalid-value", path, message: "it says which resource this is, and cannot change" }];
  return [
    ...same("metadata.name", name),
    ...same("metadata.namespace", namespace),
    ...same("metadata.uid", memberAt(before, "metadata", "uid")),
  ];
}

/** Calico's: blocks that were cut from a pool are of its size and inside it. */
function immutableFields(kind: Kind): readonly string[] {
  return kind === "IPPool" ? ["spec.cidr", "spec.blockSize"] : [];
}

function immutabilityIssues(path: string, before: unknown, after: unknown): readonly Issue[] {
  const [old, next] = [before, after].map((value) => poolFieldAt(value, path));
  if (old === undefined || old === next) return [];
  const message = `it cannot change: it is ${JSON.stringify(old)}; make another pool in its place`;
  return [{ code: "conflict", path, message }];
}

/** A pool that says nothing of its block size has one all the same; of a value that cannot be, nothing is kept. */
function poolFieldAt(value: unknown, path: string): unknown {
  const stored = parseStoredResource("IPPool", value);
  if (stored.kind === "ok") return memberAt(stored.value, ...path.split("."));
  return stored.issues.some((issue) => issue.path === path) ? undefined : memberAt(value, ...path.split("."));
}

/** As people expect to read it. */
function order(value: unknown): JsonObject {
  const { apiVersion = API_VERSION, kind, metadata, spec, ...rest } = isJsonObject(value) ? value : {};
  return { apiVersion, kind, metadata: orderMetadata(metadata), spec, ...rest };
}

function orderMetadata(metadata: unknown): JsonObject {
  const { name, namespace, ...rest } = isJsonObject(metadata) ? metadata : {};
  return { name, ...(namespace !== undefined && { namespace }), ...rest };
}
