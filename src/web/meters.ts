// SPDX-License-Identifier: Apache-2.0
import type { Sample } from "./exposition.ts";
import { Histogram } from "./histogram.ts";
import { Tally } from "./tally.ts";

/** Seconds, from what is hardly worth noting up to the time after which calls are given up. */
const BOUNDS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25];

/** A call of the plugin. None of its texts is one that the caller has made up: they are few. */
export interface MeasuredCall {
  readonly command: string;
  readonly outcome: "success" | "retry" | "error";
  /** The kind of the error, where there was one. */
  readonly error: string | undefined;
  readonly seconds: number;
}

/** What has to be noted as it happens. Everything else is read when it is asked for. */
export class Meters {
  /** Seconds that changes of the kernel took, application by application. */
  readonly applications = new Histogram(BOUNDS_SECONDS);
  /** Seconds from a change of what is wanted until it was applied. */
  readonly changes = new Histogram(BOUNDS_SECONDS);
  readonly callErrors = new Tally("error");
  /** Answers of the API, by their status. */
  readonly answers = new Tally("code");
  readonly datastoreErrors = new Tally("error");
  /** Watches of the datastore that ended by themselves, by why. */
  readonly watchInterruptions = new Tally("error");
  /** operation -> seconds */
  readonly #datastoreRequests = new Map<string, Histogram>();
  /** command -> outcome -> seconds */
  readonly #calls = new Map<string, Map<string, Histogram>>();

  noteCall({ command, outcome, error, seconds }: MeasuredCall): void {
    const byOutcome = this.#calls.get(command) ?? new Map<string, Histogram>();
    const calls = byOutcome.get(outcome) ?? new Histogram(BOUNDS_SECONDS);
    calls.observe(seconds);
    this.#calls.set(command, byOutcome.set(outcome, calls));
    if (error !== undefined) this.callErrors.note(error);
  }

  /** A request of the datastore that has been answered, or has failed. */
  noteRequest(
    operation: string,
    { seconds, error }: { readonly seconds: number; readonly error?: string },
  ): void {
    const requests = this.#datastoreRequests.get(operation) ?? new Histogram(BOUNDS_SECONDS);
    requests.observe(seconds);
    this.#datastoreRequests.set(operation, requests);
    if (error !== undefined) this.datastoreErrors.note(error);
  }

  noteInterruption(error: string): void {
    this.watchInterruptions.note(error);
  }

  /** Seconds that requests of the datastore took, by operation. */
  requestSamples(): readonly Sample[] {
    return [...this.#datastoreRequests].flatMap(([operation, requests]) => requests.samples({ operation }));
  }

  /** Seconds that calls of the plugin took, by command and outcome. */
  callSamples(): readonly Sample[] {
    return [...this.#calls].flatMap(([command, byOutcome]) =>
      [...byOutcome].flatMap(([outcome, calls]) => calls.samples({ command, outcome })),
    );
  }
}
