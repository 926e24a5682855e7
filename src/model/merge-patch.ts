// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from "./json.ts";

/**
 * Applies a JSON merge patch (RFC 7396): members of `patch` replace those of `target`, objects are merged, and `null` removes.
 * What the patch does not name stays as it is, whoever wrote it.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  // A map has no member that means something else, as an object's `__proto__` does.
  const merged = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}
