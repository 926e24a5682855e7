// SPDX-License-Identifier: Apache-2.0
import { idOf } from "../../datastore/resources.ts";
import type { Issue } from "../../model/issue.ts";
import { type JsonObject, isJsonObject, memberAt } from "../../model/json.ts";
import { isNamespaced } from "../../model/keys.ts";
import { ALL_KINDS, type AnyResource, type Kind, isKind, parseResource } from "../../model/resource.ts";
import { describeResource } from "./describe.ts";
import type { Item, Items } from "./document.ts";
import { type Fault, type Place, formatPlace } from "./place.ts";

/** Resources of the cluster's containers without an orchestrator are in this namespace. */
export const DEFAULT_NAMESPACE = "default";

/** A resource that a person wrote, and where. */
export interface Manifest {
  readonly place: Place;
  readonly resource: AnyResource;
}

export interface Manifests {
  readonly manifests: readonly Manifest[];
  /** Every fault of every document. */
  readonly faults: readonly Fault[];
}

/** Checks what was read, each resource by the schema of its kind. Those that belong in a namespace and name none get the given one. */
export function parseItems(read: readonly Items[], namespace = DEFAULT_NAMESPACE): Manifests {
  const files = read.map((file) => ({
    ...file,
    parsed: file.items.map((item) => parseItem(item, namespace)),
  }));
  const manifests = files.flatMap(({ parsed }) => parsed.flatMap(({ manifest }) => manifest ?? []));
  const faults = files.flatMap((file) =>
    [...file.faults, ...file.parsed.flatMap((item) => item.faults)].toSorted(byPlace),
  );
  return { manifests, faults: [...faults, ...repetitions(manifests)] };
}

function byPlace({ place: a }: Fault, { place: b }: Fault): number {
  return a.document - b.document || (a.line ?? 0) - (b.line ?? 0);
}

interface ParsedItem {
  readonly manifest?: Manifest;
  readonly faults: readonly Fault[];
}

function parseItem({ place, value, placeOf }: Item, namespace: string): ParsedItem {
  const fault = (path: string, message: string): ParsedItem => ({
    faults: [{ place: placeOf(path), message }],
  });
  if (!isJsonObject(value)) return fault("", "want a resource: an object with apiVersion, kind and metadata");
  const { kind } = value;
  if (kind === undefined) return fault("", "kind: it is required");
  if (typeof kind !== "string" || !isKind(kind))
    return fault("kind", `kind: there is no ${JSON.stringify(kind)}; want one of ${ALL_KINDS.join(", ")}`);
  const parsed = parseResource(kind, withNamespace(kind, value, namespace));
  if (parsed.kind === "ok") return { manifest: { place, resource: parsed.value }, faults: [] };
  const subject = subjectOf(kind, value);
  return {
    faults: parsed.issues.map((issue) => ({
      place: placeOf(issue.path),
      message: `${subject}: ${formatIssue(issue)}`,
    })),
  };
}

export function formatIssue({ path, message }: Issue): string {
  return path === "" ? message : `${path}: ${message}`;
}

function withNamespace(kind: Kind, value: JsonObject, namespace: string): JsonObject {
  const { metadata } = value;
  if (!isNamespaced(kind) || !isJsonObject(metadata) || Object.hasOwn(metadata, "namespace")) return value;
  return { ...value, metadata: { ...metadata, namespace } };
}

function subjectOf(kind: Kind, value: JsonObject): string {
  const name = memberAt(value, "metadata", "name");
  return typeof name === "string" ? describeResource({ kind, name }) : kind;
}

/** Two documents for one resource: which of them holds would depend on their order. */
function repetitions(manifests: readonly Manifest[]): readonly Fault[] {
  const first = new Map<string, Place>();
  return manifests.flatMap(({ place, resource }) => {
    const what = describeResource(idOf(resource));
    const before = first.get(what);
    if (before !== undefined) return [{ place, message: `${what} is in ${formatPlace(before)} already` }];
    first.set(what, place);
    return [];
  });
}
