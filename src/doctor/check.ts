// SPDX-License-Identifier: Apache-2.0

/** From what is to be seen first. */
export const RESULTS = ["fault", "warning", "skipped", "ok"] as const;
/**
 * - `fault`: packets are lost, or will be; or a node does not do its work
 * - `warning`: it works, and may not for long, or not as it was meant to
 * - `skipped`: it could not be looked at
 */
export type Result = (typeof RESULTS)[number];

/** What to do about it. */
export interface Remedy {
  /** In words. */
  readonly advice: string;
  /** What a shell on the node can be given, one after the other; none where a person has to decide. */
  readonly commands: readonly string[];
}

/** One thing that was looked at, and what came of it. */
export interface Check {
  readonly name: string;
  /** The setting, device, session or address. */
  readonly lookedAt: string;
  readonly result: Result;
  /** What was found, or why nothing was. */
  readonly reason: string;
  readonly remedy: Remedy | null;
}

/** Where it was found: on a node, on the machine, or in what the cluster has stored. */
export type LocatedCheck = Check & { readonly where: string };

/** What there is to say of one subject, without repeating it. */
export interface Subject {
  ok(reason: string): Check;
  skipped(reason: string): Check;
  warning(reason: string, advice: string, ...commands: readonly string[]): Check;
  fault(reason: string, advice: string, ...commands: readonly string[]): Check;
}

export function subject(name: string, lookedAt: string): Subject {
  const amiss =
    (result: "warning" | "fault") =>
    (reason: string, advice: string, ...commands: readonly string[]): Check => ({
      name,
      lookedAt,
      result,
      reason,
      remedy: { advice, commands },
    });
  return {
    ok: (reason) => ({ name, lookedAt, result: "ok", reason, remedy: null }),
    skipped: (reason) => ({ name, lookedAt, result: "skipped", reason, remedy: null }),
    warning: amiss("warning"),
    fault: amiss("fault"),
  };
}

/** What is amiss, or one line that says that nothing is. */
export function orWell(amiss: readonly Check[], well: Check): readonly Check[] {
  return amiss.length === 0 ? [well] : amiss;
}

/** Of two looks at the same things the second, in which what is amiss now, and was not before, is left out: it is under way. */
export function amissInBoth(first: readonly Check[], second: readonly Check[]): readonly Check[] {
  const known = new Set(first.filter(isAmiss).map(identity));
  return second.filter((check) => !isAmiss(check) || known.has(identity(check)));
}

export function isAmiss({ result }: Check): boolean {
  return result === "fault" || result === "warning";
}

export function hasFaults(checks: readonly Check[]): boolean {
  return checks.some(({ result }) => result === "fault");
}

/** Faults first; what is alike stays in its order. */
export function sortChecks<C extends Check>(checks: readonly C[]): readonly C[] {
  return checks.toSorted((a, b) => RESULTS.indexOf(a.result) - RESULTS.indexOf(b.result));
}

function identity({ name, lookedAt }: Check): string {
  return `${name} ${lookedAt}`;
}
