// SPDX-License-Identifier: Apache-2.0
import type { Output } from "../model/schema.ts";
import type { ANSWERS } from "./answers.ts";
import type { MetricFamily } from "./exposition.ts";

export type AnswerName = keyof typeof ANSWERS;
export type Answer<Name extends AnswerName> = Output<(typeof ANSWERS)[Name]>;

/** What there is to be read, as it is at the moment of the call. */
export type ApiSources = { readonly [Name in AnswerName]: () => Answer<Name> } & {
  /** Of the agent. */
  readonly version: string;
  /** Resolves once `isMet` holds of what there is to be read; rejects with the signal's reason. */
  readonly until: (isMet: () => boolean, signal: AbortSignal) => Promise<void>;
  readonly metrics: () => readonly MetricFamily[];
};
