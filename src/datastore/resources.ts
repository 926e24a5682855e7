// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Issue } from "../model/issue.ts";
import { type JsonObject, isJsonObject, memberAt } from "../model/json.ts";
import type { ResourceId } from "../model/keys.ts";
import type { AnyResource } from "../model/resource.ts";
import { changeIssues, createStored, lostFields, replaceStored } from "../model/resource-change.ts";
import { type Clock, systemClock } from "../system/clock.ts";
import type { Store, WaitOptions } from "./store.ts";
import { type StoredResource, keyOf, readResource } from "./stored-resource.ts";

export interface ChangeOptions extends WaitOptions {
  /** Find out what would come of it, and write nothing. */
  readonly dryRun?: boolean;
  /** @default the system's clock */
  readonly clock?: Clock;
  /** What speaks against the change beside what the resource itself says; `before` is absent for one that is new. */
  readonly review?: (after: JsonObject, before: JsonObject | undefined) => Promise<readonly Issue[]>;
}

/** What came of a change. */
export type ChangeOutcome =
  | { readonly kind: "created" | "unchanged" | "deleted" }
  /** `lost` are paths of fields that this version does not know and that the change took away, such as those inside a list that was replaced. */
  | { readonly kind: "changed"; readonly lost: readonly string[] }
  /** It should not have been there. */
  | { readonly kind: "present" }
  /** It should have been there. */
  | { readonly kind: "absent" }
  /** It is not the one, or not as it was, when the person read it. */
  | { readonly kind: "stale"; readonly message: string }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

/** Stores a resource that is not there yet. */
export async function createResource(
  store: Store,
  resource: AnyResource,
  options: ChangeOptions = {},
): Promise<ChangeOutcome> {
  const key = keyOf(idOf(resource));
  if (resource.metadata.resourceVersion !== undefined) return { kind: "invalid", issues: [HAS_VERSION] };
  if ((await store.get(key, options)) !== undefined) return { kind: "present" };
  const { clock = systemClock } = options;
  const json = createStored(resource, { uid: randomUUID(), nowMs: clock.now() });
  const issues = (await options.review?.(json, undefined)) ?? [];
  if (issues.length > 0) return { kind: "invalid", issues };
  if (options.dryRun === true) return { kind: "created" };
  const result = await store.put(key, JSON.stringify(json), { ...options, expect: "absent" });
  return { kind: result.kind === "written" ? "created" : "present" };
}

const HAS_VERSION: Issue = {
  code: "invalid-value",
  path: "metadata.resourceVersion",
  message: "what is not there yet has none; leave it out",
};

/** Stores a resource in place of the one that is there; what the person could not know of stays, as {@link replaceStored} says. */
export function replaceResource(
  store: Store,
  resource: AnyResource,
  options: ChangeOptions = {},
): Promise<ChangeOutcome> {
  const seen = seenOf(resource);
  return change(store, idOf(resource), seen, (before) => replaceStored(before, resource), options);
}

/** Creates the resource, or replaces the one that is there. */
export async function applyResource(
  store: Store,
  resource: AnyResource,
  options: ChangeOptions = {},
): Promise<ChangeOutcome> {
  for (;;) {
    const replaced = await replaceResource(store, resource, options);
    if (replaced.kind !== "absent") return replaced;
    if (seenOf(resource).resourceVersion !== undefined) return { kind: "stale", message: GONE };
    const created = await createResource(store, resource, options);
    if (created.kind !== "present") return created;
  }
}

const GONE = "it is not there any more";

/** Changes what stands. What the change does not touch stays, whoever wrote it. */
export function changeResource(
  store: Store,
  id: ResourceId,
  changeJson: (before: JsonObject) => unknown,
  options: ChangeOptions & { readonly seen?: Seen } = {},
): Promise<ChangeOutcome> {
  return change(store, id, options.seen ?? {}, changeJson, options);
}

/** Removes the resource. */
export async function deleteResource(
  store: Store,
  id: ResourceId,
  options: ChangeOptions & { readonly seen?: Seen } = {},
): Promise<ChangeOutcome> {
  for (;;) {
    const stored = await readResource(store, id, options);
    if (stored === undefined) return { kind: "absent" };
    const stale = staleness(stored, options.seen ?? {});
    if (stale !== undefined) return stale;
    if (options.dryRun === true) return { kind: "deleted" };
    const { key, revision } = stored.entry;
    const result = await store.delete(key, { ...options, expect: revision });
    if (result.kind === "written") return { kind: "deleted" };
  }
}

/** Which version of which resource a person has seen, where they say so. */
export interface Seen {
  readonly resourceVersion?: string | undefined;
  readonly uid?: string | undefined;
}

export function seenOf({ metadata }: AnyResource): Seen {
  return { resourceVersion: metadata.resourceVersion, uid: metadata.uid };
}

export function idOf({ kind, metadata }: AnyResource): ResourceId {
  const { name } = metadata;
  return "namespace" in metadata ? { kind, name, namespace: metadata.namespace } : { kind, name };
}

/** Reads, changes and writes until nobody else has written in between; writes nothing where nothing changes. */
async function change(
  store: Store,
  id: ResourceId,
  seen: Seen,
  changeJson: (before: JsonObject) => unknown,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  for (;;) {
    const stored = await readResource(store, id, options);
    if (stored === undefined) return { kind: "absent" };
    const stale = staleness(stored, seen);
    if (stale !== undefined) return stale;
    const before = isJsonObject(stored.json) ? stored.json : {};
    const after = changeJson(before);
    const issues = await issuesOf(id, before, after, options);
    if (issues.length > 0) return { kind: "invalid", issues };
    if (isDeepStrictEqual(after, stored.json)) return { kind: "unchanged" };
    const changed = { kind: "changed", lost: lostFields(id.kind, before, after) } as const;
    if (options.dryRun === true) return changed;
    const { key, revision } = stored.entry;
    const result = await store.put(key, JSON.stringify(after), { ...options, expect: revision });
    if (result.kind === "written") return changed;
  }
}

async function issuesOf(
  id: ResourceId,
  before: JsonObject,
  after: unknown,
  { review }: ChangeOptions,
): Promise<readonly Issue[]> {
  const issues = changeIssues(id, before, after);
  return issues.length > 0 || !isJsonObject(after) ? issues : ((await review?.(after, before)) ?? []);
}

function staleness(
  { entry, json }: StoredResource,
  { resourceVersion, uid }: Seen,
): ChangeOutcome | undefined {
  const version = String(entry.revision);
  if (resourceVersion !== undefined && resourceVersion !== version)
    return {
      kind: "stale",
      message: `it has changed: its resourceVersion is "${version}", not ${JSON.stringify(resourceVersion)}`,
    };
  const storedUid = memberAt(json, "metadata", "uid");
  if (uid !== undefined && storedUid !== undefined && uid !== storedUid)
    return {
      kind: "stale",
      message: `it is another one of that name: its uid is ${JSON.stringify(storedUid)}`,
    };
  return undefined;
}
