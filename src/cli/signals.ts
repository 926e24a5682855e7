// SPDX-License-Identifier: Apache-2.0
import { constants } from "node:os";

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface StopSignals extends Disposable {
  /** Aborts at the first request to stop. Further ones change nothing: what was begun is cleaned up all the same. */
  readonly signal: AbortSignal;
  /** What a shell expects of a process that was asked to stop; absent as long as it was not. */
  readonly exitCode: number | undefined;
}

/** Turns requests to stop into an abort, until disposed of. */
export function stopSignals(): StopSignals {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const stop = (name: NodeJS.Signals): void => {
    exitCode ??= 128 + constants.signals[name];
    controller.abort();
  };
  for (const name of STOP_SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    [Symbol.dispose]() {
      for (const name of STOP_SIGNALS) process.off(name, stop);
    },
  };
}
