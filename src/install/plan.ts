// SPDX-License-Identifier: Apache-2.0
import type { Fingerprint } from "./fingerprint.ts";

/** A path, what it holds, and what it is to hold. */
export interface PathState {
  readonly path: string;
  readonly present: Fingerprint | undefined;
  readonly wanted: Fingerprint | undefined;
  /** What this command has left there, or was about to when it was cut short; nothing where it has not been at that path. */
  readonly recorded: readonly Fingerprint[];
  /** The operator's as soon as it is there. */
  readonly isOperators: boolean;
}

export type Step =
  | { readonly kind: "write"; readonly path: string }
  | { readonly kind: "remove"; readonly path: string }
  /** It is as it should be. */
  | { readonly kind: "none"; readonly path: string }
  /** It is not ours to change. */
  | { readonly kind: "keep"; readonly path: string; readonly reason: string };

/**
 * The step for one path. What somebody else has written or changed is kept, unless `overwrite` says otherwise; that of the operator, and what is no
 * file, always.
 */
export function planPath(state: PathState, { overwrite }: { readonly overwrite: boolean }): Step {
  const { path, present, wanted, recorded, isOperators } = state;
  if (present === wanted) return { kind: "none", path };
  if (present === undefined) return { kind: "write", path };
  if (isOperators && wanted !== undefined)
    return { kind: "keep", path, reason: "it is there already, and yours" };
  if (present === "other") return { kind: "keep", path, reason: "it is no file" };
  const isOurs = recorded.includes(present);
  if (!isOurs && (!overwrite || isOperators)) {
    return { kind: "keep", path, reason: recorded.length > 0 ? "it was changed" : "somebody else wrote it" };
  }
  return { kind: wanted === undefined ? "remove" : "write", path };
}
