// SPDX-License-Identifier: Apache-2.0
import { type ResourceId, parseResourceKey, resourceKey, resourcePrefix } from "../model/keys.ts";
import { type AnyResource, type Kind, type Stored, parseStoredResource } from "../model/resource.ts";
import type { Entry, Store, WaitOptions } from "./store.ts";

/** A resource as it stands in the datastore. */
export interface StoredResource {
  readonly id: ResourceId;
  readonly entry: Entry;
  /** What the stored text says; no object at all where it is no JSON. */
  readonly json: unknown;
  readonly parsed: Stored<AnyResource>;
}

/** The resource; `undefined` where there is none. */
export async function readResource(
  store: Store,
  id: ResourceId,
  options: WaitOptions = {},
): Promise<StoredResource | undefined> {
  const entry = await store.get(keyOf(id), options);
  return entry && readEntry(id, entry);
}

/** All of the kind, or those in one namespace, sorted by key. */
export async function listResources(
  store: Store,
  kind: Kind,
  { namespace, ...options }: WaitOptions & { readonly namespace?: string | undefined } = {},
): Promise<readonly StoredResource[]> {
  const { entries } = await store.list(resourcePrefix(kind, namespace), options);
  return entries.flatMap((entry) => readStored(entry) ?? []);
}

/** The resource in an entry; `undefined` where its key is not that of one. */
export function readStored(entry: Entry): StoredResource | undefined {
  const id = parseResourceKey(entry.key);
  return id && readEntry(id, entry);
}

/** Where the resource is stored; throws `SyntaxError` for a name that could lead elsewhere. */
export function keyOf({ kind, name, namespace }: ResourceId): string {
  return resourceKey(kind, name, namespace);
}

function readEntry(id: ResourceId, entry: Entry): StoredResource {
  const json = parseJson(entry.value);
  return { id, entry, json, parsed: parseStoredResource(id.kind, json) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
