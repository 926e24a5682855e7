// SPDX-License-Identifier: Apache-2.0
import type { Labels, Sample } from "./exposition.ts";

/** How often values were how large: to note one changes two numbers. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** How many values were up to each bound and above the one before; the last is for those above all. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds ascending; a value belongs to the first that is not below it */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const index = found < 0 ? this.#bounds.length : found;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += value;
  }

  /** Buckets are cumulative: each has all that is up to its bound. */
  samples(labels: Labels = {}): readonly Sample[] {
    let count = 0;
    const buckets = this.#counts.map((own, index) => {
      const bound = this.#bounds[index];
      count += own;
      const le = bound === undefined ? "+Inf" : String(bound);
      return { suffix: "_bucket", labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { suffix: "_sum", labels, value: this.#sum },
      { suffix: "_count", labels, value: count },
    ];
  }
}
