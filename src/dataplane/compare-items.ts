// SPDX-License-Identifier: Apache-2.0

/** An item that is not as it should be, of a kind that has no step of its own for each. */
export interface ItemDifference {
  readonly key: string;
  /**
   * - `missing`, `wrong`: it is to be made, or changed
   * - `foreign`: it is there, and nothing wants it
   * - `waiting`: something else has to come first
   */
  readonly state: "missing" | "wrong" | "foreign" | "waiting";
  /** What is waited for, or what is to be done about it, in words. */
  readonly what: string;
}

interface Words<W, S> {
  /** Whether what stands at a key is what is wanted there. */
  isSame(wanted: W, seen: S): boolean;
  describeAddition(wanted: W): string;
  describeRemoval(seen: S): string;
}

/** Both by their keys. */
export function compareItems<W, S>(
  wanted: ReadonlyMap<string, W>,
  seen: ReadonlyMap<string, S>,
  words: Words<W, S>,
): readonly ItemDifference[] {
  const amiss = [...wanted].flatMap(([key, item]): readonly ItemDifference[] => {
    const there = seen.get(key);
    if (there !== undefined && words.isSame(item, there)) return [];
    return [{ key, state: there === undefined ? "missing" : "wrong", what: words.describeAddition(item) }];
  });
  const foreign = [...seen].filter(([key]) => !wanted.has(key));
  return [
    ...amiss,
    ...foreign.map(([key, item]) => {
      return { key, state: "foreign", what: words.describeRemoval(item) } as const;
    }),
  ];
}
