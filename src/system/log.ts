// SPDX-License-Identifier: Apache-2.0

export type LogLevel = "debug" | "info" | "warn" | "error";
/** What a line may be about; docs/agent.md says what each is. */
export const LOG_FIELDS = [
  "address",
  "attempts",
  "before",
  "block",
  "container",
  "containers",
  "endpoints",
  "error",
  "failures",
  "ifName",
  "interfaces",
  "issues",
  "key",
  "kind",
  "late",
  "line",
  "node",
  "nodeName",
  "path",
  "port",
  "prefix",
  "reason",
  "recover",
  "released",
  "silent",
  "socket",
  "value",
] as const;

export type LogFields = { readonly [Field in (typeof LOG_FIELDS)[number]]?: unknown };

/** Structured logging: one sentence, and what it is about as fields. Secrets are never passed in. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with `scope` (a part of the program) put in front. */
  scope(name: string): Log;
}

export interface LogOptions {
  /** Lines below this level are dropped. @default "info" */
  readonly level?: LogLevel;
  /** Takes one finished line without its newline. @default standard error */
  readonly write?: (line: string) => void;
  readonly now?: () => number;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log of JSON lines: `{"time","level","scope","message",…fields}`. */
export function createLog(options: LogOptions = {}, scope: readonly string[] = []): Log {
  const { level: least = "info", write = writeToStderr, now = Date.now } = options;
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (RANK[level] < RANK[least]) return;
      const head = {
        time: new Date(now()).toISOString(),
        level,
        ...(scope.length > 0 && { scope: scope.join(".") }),
      };
      write(JSON.stringify({ ...head, message, ...fields }, plainErrors));
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    scope: (name) => createLog(options, [...scope, name]),
  };
}

/** A log that goes nowhere. */
export const silentLog: Log = createLog({ level: "error", write: () => undefined });

function writeToStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Errors as `name: message`, with their causes; JSON would show them as `{}`. */
function plainErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value;
}

/** One line for an error and its chain of causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own} (${describeError(error.cause)})`;
}
