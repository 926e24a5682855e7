// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from "node:util";
import type { Entry, Expectation } from "../../datastore/store.ts";
import { parseExactJson, renderExactJson } from "../../model/exact-json.ts";
import { isJsonObject } from "../../model/json.ts";
import { parseBlockKey } from "../../model/keys.ts";
import { mergePatch } from "../../model/merge-patch.ts";
import { cidrsOverlap } from "../../net/cidr.ts";
import { isReport } from "./archive.ts";
import type { Restored } from "./parse-archive.ts";

/** One write of an import. */
export interface Step {
  readonly what: string;
  readonly kind: "created" | "completed" | "unchanged";
  readonly key: string;
  readonly text: string;
  readonly expect: Expectation;
}

export interface ImportPlan {
  /** In the order in which they are to be done. */
  readonly steps: readonly Step[];
  /** Values that stand in the way, in words. */
  readonly conflicts: readonly string[];
  /** Keys that are in the datastore, and not in the archive. */
  readonly foreign: readonly string[];
}

/** What an import has to do, given all that the datastore holds. Nothing that stands is overwritten; to plan again after half of it was done gives the rest. */
export function planImport(values: readonly Restored[], entries: readonly Entry[]): ImportPlan {
  const current = new Map(entries.map((entry) => [entry.key, entry]));
  const planned = values
    .toSorted((a, b) => rank(a) - rank(b))
    .map((value) => plan(value, current.get(value.key)));
  const keys = new Set(values.map(({ key }) => key));
  const foreign = entries.map(({ key }) => key).filter((key) => !keys.has(key) && !isReport(key));
  return {
    steps: planned.filter((step) => typeof step !== "string"),
    conflicts: [...planned.filter((step) => typeof step === "string"), ...overlaps(values, foreign)],
    foreign,
  };
}

/**
 * Addresses that are in use come before the pools that they are from: an agent that runs already takes none of them. Blocks come before the claims that announce them, and handles
 * before blocks, as the allocator writes them.
 */
function rank({ part, kind }: Restored): number {
  if (part !== "resources")
    return ["config", "handles", "blocks", "block_affinities", "entries"].indexOf(part);
  return { IPPool: 12, WorkloadEndpoint: 11, Node: 10 }[kind ?? ""] ?? 9;
}

function plan({ what, kind, key, text }: Restored, entry: Entry | undefined): Step | string {
  if (entry === undefined) return { what, kind: "created", key, text, expect: "absent" };
  const [stored, wanted] = [parsedText(entry.value), parsedText(text)];
  const expect = entry.revision;
  const unchanged = { what, kind: "unchanged", key, text: entry.value, expect } as const;
  if (kind !== "Node")
    return isDeepStrictEqual(withoutStatus(stored), withoutStatus(wanted))
      ? unchanged
      : `${what} is there already, and is another`;
  // The node's agent runs, and has registered it: what it says of itself holds, and what the archive knows beside that is added.
  const completed = mergePatch(wanted, stored);
  if (isDeepStrictEqual(stored, completed)) return unchanged;
  return { what, kind: "completed", key, text: renderExactJson(completed), expect };
}

/** Agents that run report on a resource as soon as it is there. */
function withoutStatus(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  const { status, ...rest } = value;
  return rest;
}

/** JSON as what it says, and all else as itself. */
function parsedText(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return text;
  }
}

/** Blocks of two sizes for the same addresses, which could be given out twice. */
function overlaps(values: readonly Restored[], foreign: readonly string[]): readonly string[] {
  const theirs = foreign.flatMap((key) => parseBlockKey(key) ?? []);
  return values.flatMap(({ key, what }) => {
    const cidr = parseBlockKey(key);
    const other = cidr && theirs.find((one) => cidrsOverlap(one, cidr));
    return other === undefined ? [] : [`${what} overlaps block "${other}" that is there already`];
  });
}
