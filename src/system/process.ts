// SPDX-License-Identifier: Apache-2.0
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { abortable } from "./abortable.ts";

/** Other programs, run to their end; tests put {@link createFakeProcesses} in its place. */
export interface ProcessRunner {
  /**
   * Resolves when the program has ended by itself, whatever its exit code, and has closed its output. A program that
   * turns itself into a daemon, as BIRD does, thus is started by this too. The abort kills the program, and rejects with the
   * signal's reason. Throws {@link ProcessError} where the program cannot be started or was killed by someone else.
   */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

export interface RunOptions {
  /** What the program reads as its standard input. @default nothing */
  readonly input?: string;
  /** Variables on top of this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * - `unavailable`: the program could not be started: it is not there, or not allowed
 * - `killed`: a signal ended it, so it left no exit code
 */
export type ProcessErrorCode = "unavailable" | "killed";

export class ProcessError extends Error {
  override readonly name = "ProcessError";
  readonly code: ProcessErrorCode;

  constructor(code: ProcessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const systemProcesses: ProcessRunner = {
  async run(command, args, { input = "", env, signal } = {}) {
    signal?.throwIfAborted();
    const child = spawn(command, args, { stdio: "pipe", ...(env && { env: { ...process.env, ...env } }) });
    const kill = (): void => {
      child.kill("SIGKILL");
      // Whoever inherited the pipes may hold them for ever; after the abort nobody reads them.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    signal?.addEventListener("abort", kill);
    try {
      const output = Promise.all([text(child.stdout), text(child.stderr)]);
      // The end tells first where there was no start or an abort; the broken output then says nothing new.
      output.catch(() => undefined);
      feed(child, input);
      const code = await ending(child, command);
      const [stdout, stderr] = await output;
      return { code, stdout, stderr };
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", kill);
    }
  },
};

function feed(child: ChildProcessWithoutNullStreams, input: string): void {
  // A program may end before it has read everything; its exit code tells whether that was wrong.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
}

function ending(child: ChildProcessWithoutNullStreams, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      reject(new ProcessError("unavailable", `Cannot run "${command}": ${cause.message}`, { cause }));
    });
    child.once("exit", (code, signal) => {
      if (code !== null) resolve(code);
      else
        reject(new ProcessError("killed", `Cannot finish "${command}": killed by ${signal ?? "a signal"}`));
    });
  });
}

/** A program of a {@link createFakeProcesses}; what it leaves out of its result is 0 or empty. */
export type FakeProgram = (
  args: readonly string[],
  options: RunOptions,
) => Partial<RunResult> | Promise<Partial<RunResult>>;

/** Runs functions in the place of programs; a command without one is not installed. */
export function createFakeProcesses(programs: Readonly<Record<string, FakeProgram>>): ProcessRunner {
  return {
    async run(command, args, options = {}) {
      const { signal } = options;
      signal?.throwIfAborted();
      const program = programs[command];
      if (program === undefined)
        throw new ProcessError("unavailable", `Cannot run "${command}": not among the fake programs`);
      const running = Promise.resolve(program(args, options));
      return { code: 0, stdout: "", stderr: "", ...(await abortable(running, signal)) };
    },
  };
}
