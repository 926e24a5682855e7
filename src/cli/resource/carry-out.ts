// SPDX-License-Identifier: Apache-2.0
import type { ChangeOptions, ChangeOutcome } from "../../datastore/resources.ts";
import type { ResourceId } from "../../model/keys.ts";
import type { CommandContext } from "../context.ts";
import { CommandError, type ExitName, combinedExit } from "../exit.ts";
import { describeResource } from "./describe.ts";
import { formatIssue } from "./manifest.ts";
import { type Place, formatPlace } from "./place.ts";

/** What came of a command's change. */
export type Outcome = ChangeOutcome | { readonly kind: "inUse"; readonly message: string };

/** What a command does to one resource. */
export interface Change {
  readonly id: ResourceId;
  /** Where the person wrote it, if they did. */
  readonly place?: Place | undefined;
  readonly run: (options: ChangeOptions) => Promise<Outcome>;
}

export interface CarryOutOptions {
  readonly dryRun?: boolean | undefined;
  /** What is no failure, for a person who asked for that. */
  readonly forgive?: "present" | "absent" | undefined;
}

/**
 * Carries out the changes in their order and tells of each; a failure of one does not stop the others. Throws {@link CommandError}, with nothing written, where any of them is found
 * to be invalid.
 */
export async function carryOut(
  { signal, exitWith }: CommandContext,
  changes: readonly Change[],
  { dryRun = false, forgive }: CarryOutOptions,
): Promise<void> {
  if (changes.length > 1) await requireValid(changes, signal);
  const exits: ExitName[] = [];
  for (const change of changes) {
    const outcome = await change.run({ dryRun, signal });
    exits.push(outcome.kind === forgive ? "done" : exitOf(outcome));
    tell(change, outcome, { dryRun, forgive });
  }
  exitWith(combinedExit(exits));
}

async function requireValid(changes: readonly Change[], signal: AbortSignal): Promise<void> {
  const lines: string[] = [];
  for (const change of changes) {
    const outcome = await change.run({ dryRun: true, signal });
    if (outcome.kind === "invalid") lines.push(...failureLines(change, outcome));
  }
  if (lines.length > 0) throw new CommandError("invalid", lines);
}

function exitOf({ kind }: Outcome): ExitName {
  switch (kind) {
    case "created":
    case "changed":
    case "unchanged":
    case "deleted":
      return "done";
    case "present":
    case "stale":
    case "inUse":
      return "conflict";
    case "absent":
      return "absent";
    case "invalid":
      return "invalid";
  }
}

function tell(change: Change, outcome: Outcome, { dryRun, forgive }: CarryOutOptions): void {
  const what = describeResource(change.id);
  if (outcome.kind === forgive) {
    process.stdout.write(`${what} skipped: ${STATES[outcome.kind]}\n`);
    return;
  }
  const isPlan = dryRun === true && outcome.kind !== "unchanged";
  if (exitOf(outcome) === "done")
    process.stdout.write(`${what} ${isPlan ? "would be " : ""}${outcome.kind}\n`);
  const lines = [...failureLines(change, outcome), ...lossLines(what, outcome)];
  for (const line of lines) process.stderr.write(`margay: ${line}\n`);
}

function lossLines(what: string, outcome: Outcome): readonly string[] {
  const lost = outcome.kind === "changed" ? outcome.lost : [];
  return lost.map((path) => `${what}: ${path}, which this version does not know, is not kept`);
}

const STATES = { present: "it is there already", absent: "there is none" } as const;

function failureLines({ id, place }: Change, outcome: Outcome): readonly string[] {
  const subject = `${place === undefined ? "" : `${formatPlace(place)}: `}${describeResource(id)}: `;
  return reasonsOf(outcome).map((reason) => subject + reason);
}

function reasonsOf(outcome: Outcome): readonly string[] {
  switch (outcome.kind) {
    case "present":
    case "absent":
      return [STATES[outcome.kind]];
    case "stale":
    case "inUse":
      return [outcome.message];
    case "invalid":
      return outcome.issues.map(formatIssue);
    case "created":
    case "changed":
    case "unchanged":
    case "deleted":
      return [];
  }
}
