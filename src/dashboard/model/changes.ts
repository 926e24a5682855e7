// SPDX-License-Identifier: Apache-2.0
// How the view goes on: what is told of a change, put into what was known.
import type { Collection, LogEvent, View, ViewChange } from "../../web/view/view.ts";

interface Identified {
  readonly id: string;
}

/** The view after the change. Collections that did not change are the same arrays, and items that did not are the same objects. */
export function applyChange(view: View, change: ViewChange): View {
  const next: Record<string, unknown> = { ...view, at: change.at };
  for (const [name, difference] of Object.entries(change)) {
    if (typeof difference === "number") continue;
    next[name] = mergeItems(view[name as Collection], difference.set, difference.removed);
  }
  return next as unknown as View;
}

/** By id, sorted by it as the server sorts. */
function mergeItems(
  items: readonly Identified[],
  set: readonly Identified[],
  removed: readonly string[],
): readonly Identified[] {
  const kept = new Map(items.map((item) => [item.id, item]));
  for (const id of removed) kept.delete(id);
  const isKnown = set.every(({ id }) => kept.has(id));
  for (const item of set) kept.set(item.id, item);
  const merged = [...kept.values()];
  return isKnown ? merged : merged.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** How many lines of the log are kept, as many as the server has. */
export const LOG_LENGTH = 500;

/** The log with one more line, the newest last. A line that is told again, after the connection was lost, stands once. */
export function addEvent(log: readonly LogEvent[], event: LogEvent): readonly LogEvent[] {
  if (log.some(({ id }) => id === event.id)) return log;
  const last = log.at(-1);
  const longer =
    last === undefined || last.atMs <= event.atMs
      ? [...log, event]
      : [...log, event].sort((a, b) => a.atMs - b.atMs);
  return longer.slice(-LOG_LENGTH);
}
