// SPDX-License-Identifier: Apache-2.0
// What of a view is to be told again. Items are compared, and sent, as text: each is made once for all who follow.
import { COLLECTIONS, type Collection, type View } from "./view.ts";

/** A view, written item by item. */
export interface WrittenView {
  readonly view: View;
  /** collection -> id -> its item in JSON */
  readonly items: Readonly<Record<Collection, ReadonlyMap<string, string>>>;
}

/** Writes a view; a collection that is the very same one as before is not written again. */
export function writeView(view: View, before?: WrittenView): WrittenView {
  const items = Object.fromEntries(
    COLLECTIONS.map((name) => [
      name,
      before?.view[name] === view[name] ? before.items[name] : writeItems(view[name]),
    ]),
  ) as WrittenView["items"];
  return { view, items };
}

/** The whole view in JSON. */
export function renderWhole({ view, items }: WrittenView): string {
  const { scope, name, version, at } = view;
  const head = JSON.stringify({ scope, name, version, at }).slice(0, -1);
  return `${head},${COLLECTIONS.map((key) => `"${key}":[${[...items[key].values()].join()}]`).join()}}`;
}

/** What differs, in JSON as `changeSchema` has it; `undefined` where nothing does. */
export function renderDifference(before: WrittenView, after: WrittenView): string | undefined {
  const parts = COLLECTIONS.flatMap((name) => differenceOf(name, before.items[name], after.items[name]));
  return parts.length === 0 ? undefined : `{"at":${after.view.at},${parts.join()}}`;
}

function differenceOf(
  name: Collection,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  if (before === after) return [];
  const set = [...after].filter(([id, text]) => before.get(id) !== text).map(([, text]) => text);
  const removed = [...before.keys()].filter((id) => !after.has(id));
  if (set.length === 0 && removed.length === 0) return [];
  return [`"${name}":{"set":[${set.join()}],"removed":${JSON.stringify(removed)}}`];
}

function writeItems(items: View[Collection]): ReadonlyMap<string, string> {
  return new Map(items.map((item) => [item.id, JSON.stringify(item)]));
}
