// SPDX-License-Identifier: Apache-2.0
import { byId } from "./by-id.ts";
import type { Collection, View, ViewChange } from "./view.ts";

/** The view after the change. A collection in which nothing has changed is the very same one. */
export function applyChange(view: View, { at, ...change }: ViewChange): View {
  const next: Record<string, unknown> = { ...view, at };
  for (const [name, difference] of Object.entries(change))
    next[name] = changed(view[name as Collection], difference);
  return next as unknown as View;
}

interface Identified {
  readonly id: string;
}

function changed(
  items: readonly Identified[],
  { set, removed }: { readonly set: readonly Identified[]; readonly removed: readonly string[] },
): readonly Identified[] {
  const all = new Map(items.map((item) => [item.id, item]));
  for (const id of removed) all.delete(id);
  for (const item of set) all.set(item.id, item);
  return byId([...all.values()]);
}
