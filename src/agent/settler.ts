// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import { type Log, describeError } from "../system/log.ts";

/** Brings something to what is wanted, step by step, whenever that may have changed; tries again what fails. */
export interface Settler extends AsyncDisposable {
  /** Called when what is wanted may have changed. */
  update(): void;
  /** What keeps it from being as wanted, if anything does. */
  readonly trouble: string | undefined;
}

/** How one round of settling waits. */
export interface Waiting {
  /** Ends with the settler: what has been begun is finished otherwise. */
  readonly signal: AbortSignal;
  /** Ends also at the next update: what is waited for may no longer be wanted. */
  readonly wait: AbortSignal;
  /** Says what is waited for. */
  readonly onWait: (pending: string) => void;
}

export interface SettlerOptions {
  /** What is done, as error texts say it after "Cannot". */
  readonly what: string;
  /** One round, from the state that holds now. */
  readonly settle: (waiting: Waiting) => Promise<void>;
  /** Called when {@link Settler.trouble} may have changed. */
  readonly onChange: () => void;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

export function createSettler(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  { what, settle, onChange }: SettlerOptions,
): Settler {
  const abort = new AbortController();
  const { signal } = abort;
  let outdated = new AbortController();
  let isStale = false;
  let isRunning = false;
  let running: Promise<void> = Promise.resolve();
  let failures = 0;
  let trouble: string | undefined;
  const tell = (text: string | undefined): void => {
    trouble = text;
    onChange();
  };
  const isOver = (): boolean => signal.aborted;

  const round = async (): Promise<void> => {
    outdated = new AbortController();
    const wait = AbortSignal.any([signal, outdated.signal]);
    try {
      await settle({ signal, wait, onWait: (pending) => (trouble = `waiting: ${pending}`) });
      failures = 0;
      tell(undefined);
    } catch (error) {
      if (wait.aborted) return;
      log.warn(`Cannot ${what}`, { error });
      tell(describeError(error));
      isStale = true;
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** failures++, LAST_RETRY_MS);
      await clock.sleep(delayMs, { signal }).catch(() => undefined);
    }
  };
  const run = async (): Promise<void> => {
    isRunning = true;
    while (isStale && !isOver()) {
      isStale = false;
      await round();
    }
    isRunning = false;
  };

  return {
    get trouble() {
      return trouble;
    },
    update() {
      isStale = true;
      outdated.abort();
      if (!isRunning) running = run();
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await running;
    },
  };
}
