// SPDX-License-Identifier: Apache-2.0
import { byId } from "./by-id.ts";
import { COLLECTIONS, type Collection, type View, type ViewChange } from "./view.ts";

/** The view after the change. A collection in which nothing has changed is the very same one. */
export function applyChange(view: View, change: ViewChange): View {
  const collections = Object.fromEntries(
    COLLECTIONS.map((name) => [name, changed(view[name], change[name])]),
  ) as unknown as Pick<View, Collection>;
  return { ...view, at: change.at, ...collections };
}

interface Identified {
  readonly id: string;
}

function changed(
  items: readonly Identified[],
  change: { readonly set: readonly Identified[]; readonly removed: readonly string[] } | undefined,
): readonly Identified[] {
  if (change === undefined) return items;
  const all = new Map(items.map((item) => [item.id, item]));
  for (const id of change.removed) all.delete(id);
  for (const item of change.set) all.set(item.id, item);
  return byId([...all.values()]);
}
