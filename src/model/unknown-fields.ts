// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from "./json.ts";

/**
 * The parts of a value that stand at the given paths, as issues write paths, each with the objects around it: what a person cannot have written, because
 * this version does not know it, and what has to outlive their writing. Entries of lists have no identity, so what is inside them is left out.
 */
export function pickFields(value: unknown, paths: ReadonlySet<string>, at = ""): unknown {
  if (!isJsonObject(value)) return {};
  const kept = Object.entries(value).flatMap(([key, field]) => {
    const path = at === "" ? key : `${at}.${key}`;
    if (paths.has(path)) return [[key, field] as const];
    const inner = pickFields(field, paths, path);
    return isJsonObject(inner) && Object.keys(inner).length > 0 ? [[key, inner] as const] : [];
  });
  return Object.fromEntries(kept);
}
