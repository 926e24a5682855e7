// SPDX-License-Identifier: Apache-2.0
import { type Seen, idOf, seenOf } from "../../datastore/resources.ts";
import { type ResourceId, isNamespaced, resourceKey } from "../../model/keys.ts";
import type { Kind } from "../../model/resource.ts";
import { CommandError } from "../exit.ts";
import { requireManifests } from "./files.ts";
import { parseKind } from "./kind-names.ts";
import { DEFAULT_NAMESPACE } from "./manifest.ts";
import type { FileOptions } from "./options.ts";
import type { Place } from "./place.ts";

/** A resource that a person names, by words or by a file. */
export interface Target {
  readonly id: ResourceId;
  readonly place?: Place;
  readonly seen?: Seen;
}

/** The resource of that name; throws {@link CommandError} for a name that none can have. */
export function parseId(kind: Kind, name: string, namespace = DEFAULT_NAMESPACE): ResourceId {
  const id = isNamespaced(kind) ? { kind, name, namespace } : { kind, name };
  try {
    resourceKey(kind, name, id.namespace);
    return id;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    const what = JSON.stringify(isNamespaced(kind) ? `${namespace}/${name}` : name);
    throw new CommandError("invalid", `There can be no ${kind} ${what}: it is no valid name`, { cause });
  }
}

/** The resources that a command is for: a kind and names, or what is in files. */
export async function readTargets(
  kind: string | undefined,
  names: readonly string[],
  { filename, namespace }: FileOptions,
): Promise<readonly Target[]> {
  if (filename.length > 0) {
    if (kind !== undefined) throw new CommandError("invalid", "Want a kind and names, or -f FILE, not both");
    const manifests = await requireManifests(filename, namespace);
    return manifests.map(({ place, resource }) => ({ id: idOf(resource), place, seen: seenOf(resource) }));
  }
  if (kind === undefined) throw new CommandError("invalid", "Want a kind, or -f FILE");
  const parsed = parseKind(kind);
  return names.map((name) => ({ id: parseId(parsed, name, namespace) }));
}
