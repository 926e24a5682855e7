// SPDX-License-Identifier: Apache-2.0
import type { Delta } from "./wanted.ts";

/** A wanted item with its key; where several sources want the same key, the lowest rank wins. */
export interface Contribution<T> {
  readonly key: string;
  readonly value: T;
  /** @default 0 */
  readonly rank?: number;
}

interface Claim<T> {
  readonly value: T;
  readonly rank: number;
}

/**
 * Wanted items, kept by the source that wants them. A source is replaced as a whole, at a cost that depends on that
 * source only, and the outcome depends on what the sources want now, not on the order in which they came to want it.
 */
export class Contributions<T> {
  /** key -> source -> claim */
  readonly #claims = new Map<string, Map<string, Claim<T>>>();
  /** source -> the keys it claims */
  readonly #keys = new Map<string, readonly string[]>();
  readonly #changed = new Map<string, T | undefined>();

  /** Replaces everything that `source` wants. */
  set(source: string, items: readonly Contribution<T>[]): void {
    const before = this.#keys.get(source) ?? [];
    if (before.length === 0 && items.length === 0) return;
    const winners = new Map(
      [...before, ...items.map(({ key }) => key)].map((key) => [key, this.#winner(key)]),
    );
    for (const key of before) this.#drop(key, source);
    for (const { key, value, rank = 0 } of items) this.#claim(key, source, { value, rank });
    if (items.length > 0)
      this.#keys.set(
        source,
        items.map(({ key }) => key),
      );
    else this.#keys.delete(source);
    for (const [key, old] of winners) this.#note(key, old);
  }

  /** What changed since the last call. */
  takeDelta(): Delta<T> {
    const delta = new Map(this.#changed);
    this.#changed.clear();
    return delta;
  }

  /** Everything that is wanted now, sorted by key. */
  entries(): readonly (readonly [string, T])[] {
    return [...this.#claims.keys()].sort().flatMap((key) => {
      const value = this.#winner(key);
      return value === undefined ? [] : [[key, value] as const];
    });
  }

  #claim(key: string, source: string, claim: Claim<T>): void {
    const claims = this.#claims.get(key) ?? new Map<string, Claim<T>>();
    this.#claims.set(key, claims.set(source, claim));
  }

  #drop(key: string, source: string): void {
    const claims = this.#claims.get(key);
    claims?.delete(source);
    if (claims?.size === 0) this.#claims.delete(key);
  }

  #note(key: string, old: T | undefined): void {
    const now = this.#winner(key);
    if (!isSame(old, now)) this.#changed.set(key, now);
  }

  #winner(key: string): T | undefined {
    let best: { source: string; claim: Claim<T> } | undefined;
    for (const [source, claim] of this.#claims.get(key) ?? []) {
      const isBetter =
        best === undefined ||
        claim.rank < best.claim.rank ||
        (claim.rank === best.claim.rank && source < best.source);
      if (isBetter) best = { source, claim };
    }
    return best?.claim.value;
  }
}

/** Wanted items are plain data whose fields are always written in the same order. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
