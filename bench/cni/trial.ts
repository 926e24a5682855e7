// SPDX-License-Identifier: Apache-2.0
import { COMMANDS, type Command, type Contender, type ContenderName } from "./contender.ts";

/** Under what circumstances calls are measured. */
export interface Case {
  /** Containers that are attached all the while. */
  readonly existing: number;
  /** Calls at a time. */
  readonly parallel: number;
}

/** Calls that were started at once. */
export interface Wave extends Case {
  readonly contender: ContenderName;
  readonly command: Command;
  readonly round: number;
  /** Of each call. */
  readonly callsMs: readonly number[];
  /** From the first start to the last end. */
  readonly wholeMs: number;
}

interface Trial extends Case {
  readonly round: number;
  readonly signal: AbortSignal;
}

/** Attaches so many containers at once, and then takes them away at once. */
export async function measureWaves(contender: Contender, trial: Trial): Promise<readonly Wave[]> {
  const { existing, parallel, round, signal } = trial;
  const containers = contender.containers.slice(existing, existing + parallel);
  const waves: Wave[] = [];
  for (const command of COMMANDS) {
    const { callsMs, wholeMs } = await contender.call(command, containers, { signal });
    waves.push({ contender: contender.name, existing, parallel, round, command, callsMs, wholeMs });
  }
  return waves;
}

/** An ADD on a node that has been filled so far. */
export interface Filling {
  readonly contender: ContenderName;
  /** Containers that were there before. */
  readonly before: number;
  readonly callMs: number;
}

/** Attaches containers to all contenders by turns, one at a time, until each has so many. */
export async function fill(
  contenders: readonly Contender[],
  { from, to, signal }: { readonly from: number; readonly to: number; readonly signal: AbortSignal },
): Promise<readonly Filling[]> {
  const fillings: Filling[] = [];
  for (let before = from; before < to; before++)
    for (const { name, containers, call } of contenders) {
      const { wholeMs } = await call("ADD", containers.slice(before, before + 1), { signal });
      fillings.push({ contender: name, before, callMs: wholeMs });
    }
  return fillings;
}
