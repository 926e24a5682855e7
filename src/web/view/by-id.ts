// SPDX-License-Identifier: Apache-2.0

/** The items in the order of their ids. */
export function byId<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
