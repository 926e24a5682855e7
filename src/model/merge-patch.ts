// SPDX-License-Identifier: Apache-2.0

/** A JSON value as `JSON.parse` gives it. */
type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Applies a JSON merge patch (RFC 7396): members of `patch` replace those of `target`, objects are merged, and `null` removes.
 * What the patch does not name stays as it is, whoever wrote it.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, name);
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
