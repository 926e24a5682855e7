// SPDX-License-Identifier: Apache-2.0

/** The third argument that a reviver gets (ECMA-262 2026, `JSON.parse` source text access; Node 21). */
interface SourceContext {
  readonly source?: string;
}
type Reviver = (this: unknown, key: string, value: unknown) => unknown;

/**
 * `JSON.parse` with integers beyond 2^53 as `bigint`: Calico's sequence numbers start at nanoseconds since 1970, and as
 * floating-point numbers neighbouring ones would become equal. Throws `SyntaxError`.
 */
export function parseExactJson(text: string): unknown {
  const revive = (_key: string, value: unknown, context: SourceContext): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?[0-9]+$/.test(context.source ?? "")
      ? BigInt(context.source ?? "")
      : value;
  return JSON.parse(text, revive as Reviver);
}

/** `JSON.stringify` with every `bigint` as a number. */
export function renderExactJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) =>
    typeof field === "bigint" ? rawNumber(field) : field,
  );
}

/** `JSON.rawJSON` writes a number digit by digit; TypeScript's library does not list it yet. */
function rawNumber(value: bigint): unknown {
  const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };
  return rawJSON(String(value));
}
