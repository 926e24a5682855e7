// SPDX-License-Identifier: Apache-2.0

/** What commands get, and what they leave behind. */
export interface CommandContext {
  /** Aborts when the person or the system asks the process to stop. */
  readonly signal: AbortSignal;
  /** Sets the exit code of a command that ended without an error. */
  readonly exitWith: (code: number) => void;
}
