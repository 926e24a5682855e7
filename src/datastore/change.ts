// SPDX-License-Identifier: Apache-2.0
import type { Change, Revision } from "./store.ts";

export function keyOf(change: Change): string {
  return change.kind === "put" ? change.entry.key : change.key;
}

export function revisionOf(change: Change): Revision {
  return change.kind === "put" ? change.entry.revision : change.revision;
}
