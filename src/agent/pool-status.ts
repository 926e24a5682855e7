// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Store } from "../datastore/store.ts";
import { resourceKey } from "../model/keys.ts";
import { mergePatch } from "../model/merge-patch.ts";
import { type PoolCondition, invalidPoolCondition, poolCondition } from "../model/pool-condition.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { type Catalog, parseJson } from "./catalog.ts";
import type { PoolReview } from "./pool-review.ts";
import { type Settler, createSettler } from "./settler.ts";

export interface PoolStatusCollaborators {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly poolReview: PoolReview;
  readonly clock: Clock;
  readonly log: Log;
}

/** All agents find the same, and one has to say it: each waits a while of its own, within this, and looks whether it has been said. */
const PATIENCE_MS = 1000;

/** Keeps the condition `Allocatable` in the status of every pool: what is wrong with one is said where a person looks for it. */
export function createPoolStatus(
  { store, catalog, poolReview, clock, log }: PoolStatusCollaborators,
  { nodeName }: { readonly nodeName: string },
): Settler {
  const pauseMs = (createHash("sha1").update(nodeName).digest().readUInt16BE() / 0xffff) * PATIENCE_MS;
  return createSettler(
    { clock, log },
    {
      what: "record the state of pools",
      async settle({ signal, wait }) {
        await clock.sleep(pauseMs, { signal: wait });
        for (const [name, condition] of conditions(catalog, poolReview))
          await record(store, name, condition, { signal, clock });
      },
      onChange: () => undefined,
    },
  );
}

function conditions(catalog: Catalog, review: PoolReview): ReadonlyMap<string, PoolCondition> {
  const sound = catalog.pools.map(
    (pool) => [pool.metadata.name, poolCondition(pool, review.issuesOf(pool))] as const,
  );
  const broken = Array.from(
    catalog.unreadablePools,
    ([name, issues]) => [name, invalidPoolCondition(issues)] as const,
  );
  return new Map([...sound, ...broken]);
}

/** What is looked at of a stored pool, which may be wrong in all else. */
const stored = z.looseObject({
  status: z
    .looseObject({ conditions: z.array(z.looseObject({ type: z.string() })).default([]) })
    .default({ conditions: [] }),
});

/** Reads, merges and writes until nobody else has written in between; writes nothing where it has been said. */
async function record(
  store: Store,
  name: string,
  condition: PoolCondition,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<void> {
  const key = resourceKey("IPPool", name);
  for (;;) {
    const entry = await store.get(key, { signal });
    if (entry === undefined) return;
    const parsed = stored.safeParse(parseJson(entry.value));
    // What is no object has no place for it.
    if (!parsed.success) return;
    const all = parsed.data.status.conditions;
    const before = all.find(({ type }) => type === condition.type);
    if (before !== undefined && isSame(before, condition)) return;
    const others = all.filter(({ type }) => type !== condition.type);
    // Of Kubernetes' meta/v1: when the status, and not only its reason, became another; RFC 3339, to the second.
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    const lastTransitionTime = before?.["status"] === condition.status ? before["lastTransitionTime"] : now;
    const change = { status: { conditions: [...others, { ...condition, lastTransitionTime }] } };
    const text = JSON.stringify(mergePatch(parsed.data, change));
    const result = await store.put(key, text, { signal, expect: entry.revision });
    if (result.kind === "written") return;
  }
}

function isSame(before: Readonly<Record<string, unknown>>, condition: PoolCondition): boolean {
  return (["status", "reason", "message"] as const).every((field) => before[field] === condition[field]);
}
