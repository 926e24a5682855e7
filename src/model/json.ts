// SPDX-License-Identifier: Apache-2.0

/** A JSON object as `JSON.parse` gives it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The member of nested objects that the names lead to; `undefined` where there is none. */
export function memberAt(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (here, name) => (isJsonObject(here) && Object.hasOwn(here, name) ? here[name] : undefined),
    value,
  );
}
