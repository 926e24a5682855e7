// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from "./json.ts";

/**
 * Applies a JSON merge patch (RFC 7396): members of `patch` replace those of `target`, objects are merged, and `null` removes.
 * What the patch does not name stays as it is, whoever wrote it.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const merged: Record<string, unknown> = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, name);
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}
