// SPDX-License-Identifier: Apache-2.0
import type { ProcessRunner, RunResult } from "../../system/process.ts";

/** Runs a program in a node's network namespace. Rejects with `ProcessError`, or the reason of the signal. */
export type RunThere = (program: string, args: readonly string[]) => Promise<RunResult>;

/** Of the namespace at the path; `undefined` is this process's own. */
export function runIn(
  netnsPath: string | undefined,
  processes: ProcessRunner,
  { signal }: { readonly signal: AbortSignal },
): RunThere {
  const options = { signal, env: { LC_ALL: "C" } };
  return (program, args) =>
    netnsPath === undefined
      ? processes.run(program, args, options)
      : processes.run("nsenter", [`--net=${netnsPath}`, "--", program, ...args], options);
}
