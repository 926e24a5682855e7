// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";

/**
 * - `unknown-field`: no such field; Margay never ignores what a person wrote
 * - `missing-field`: a field without a default is absent
 * - `wrong-type`: a value of another JSON type
 * - `invalid-value`: the right type, but not a value the field can take
 * - `conflict`: values that exclude each other
 */
export type IssueCode = "unknown-field" | "missing-field" | "wrong-type" | "invalid-value" | "conflict";

/** One fault in a value from outside. */
export interface Issue {
  readonly code: IssueCode;
  /** Where, as a person would write it: `spec.ipNetworks[0]`; empty for the value itself. */
  readonly path: string;
  readonly message: string;
}

/** What came of parsing: the value with its defaults, or every fault that was found. */
export type Parsed<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

/** Thrown where a faulty value cannot be handed back as issues. */
export class ResourceError extends Error {
  override readonly name = "ResourceError";
  readonly issues: readonly Issue[];

  constructor(subject: string, issues: readonly Issue[]) {
    super(`Cannot use ${subject}: ${formatIssues(issues)}`);
    this.issues = issues;
  }
}

/** The issues as one line, in the order they were found. */
export function formatIssues(issues: readonly Issue[]): string {
  return issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
}

/** Runs a schema over a value of unknown shape. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const result = schema.safeParse(value);
  if (result.success) return { kind: "ok", value: result.data };
  return { kind: "invalid", issues: result.error.issues.flatMap((issue) => issuesOf(issue, value)) };
}

/** The value, or {@link ResourceError} naming `subject`. */
export function unwrap<T>(parsed: Parsed<T>, subject: string): T {
  if (parsed.kind === "ok") return parsed.value;
  throw new ResourceError(subject, parsed.issues);
}

function issuesOf(issue: z.core.$ZodIssue, value: unknown): Issue[] {
  const path = formatPath(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        code: "unknown-field",
        path: formatPath([...issue.path, key]),
        message: `there is no field "${key}"`,
      }));
    case "invalid_type":
      return [
        isAbsent(value, issue.path) ? missing(path) : { code: "wrong-type", path, message: issue.message },
      ];
    case "invalid_value":
      if (isAbsent(value, issue.path)) return [missing(path)];
      return [{ code: "invalid-value", path, message: `want ${issue.values.map(quoted).join(" or ")}` }];
    case "custom":
      return [
        {
          code: issue.params?.["conflict"] === true ? "conflict" : "invalid-value",
          path,
          message: issue.message,
        },
      ];
    case "invalid_element":
    case "invalid_format":
    case "invalid_key":
    case "invalid_union":
    case "not_multiple_of":
    case "too_big":
    case "too_small":
      return [{ code: "invalid-value", path, message: issue.message }];
  }
}

function missing(path: string): Issue {
  return { code: "missing-field", path, message: "it is required" };
}

function quoted(value: unknown): string {
  return JSON.stringify(value);
}

function isAbsent(value: unknown, path: readonly PropertyKey[]): boolean {
  let here = value;
  for (const key of path) {
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return true;
    here = Reflect.get(here, key);
  }
  return here === undefined;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? String(key) : `${text}.${String(key)}`;
  }, "");
}
