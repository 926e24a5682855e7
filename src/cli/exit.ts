// SPDX-License-Identifier: Apache-2.0

/** Exit codes that scripts can go by; docs/commands.md explains them. */
export const EXIT = {
  done: 0,
  /** It could not be done, or what was asked about is not well. */
  failed: 1,
  /** The command was called in the wrong way, or what it was given is no valid input. */
  invalid: 2,
  /** There is no such resource. */
  absent: 3,
  /** What is stored is in the way: it is there already, has changed since, or is in use. */
  conflict: 4,
  /** The agent or the datastore cannot be reached. */
  unreachable: 5,
} as const;
export type ExitName = keyof typeof EXIT;

/** Ends a command. Each line is what a person is told of one fault. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exit: Exclude<ExitName, "done">;
  readonly lines: readonly string[];

  constructor(exit: Exclude<ExitName, "done">, lines: string | readonly string[], options?: ErrorOptions) {
    const all = typeof lines === "string" ? [lines] : lines;
    super(all.join("\n"), options);
    this.exit = exit;
    this.lines = all;
  }
}

/** The exit code of a command in which several things failed: theirs, where they failed alike. */
export function combinedExit(exits: readonly ExitName[]): number {
  const failures = new Set(exits.filter((exit) => exit !== "done"));
  const [first = "done"] = failures;
  return EXIT[failures.size > 1 ? "failed" : first];
}
