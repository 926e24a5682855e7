// SPDX-License-Identifier: Apache-2.0
import type { ChangeOptions, Seen } from "../../datastore/resources.ts";

export interface DeletionOptions extends ChangeOptions {
  readonly seen?: Seen;
  /** Delete what is in use too. */
  readonly isForced: boolean;
}

/** Without what is for the deletion alone. */
export function waitOf({ signal }: ChangeOptions): ChangeOptions {
  return signal === undefined ? {} : { signal };
}

/** A number of things, in words. */
export function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : what.endsWith("s") ? "es" : "s"}`;
}
