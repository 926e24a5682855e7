// SPDX-License-Identifier: Apache-2.0
import type { Sample } from "./exposition.ts";

/** How often what has happened, by its name; the names are few. */
export class Tally {
  readonly #label: string;
  readonly #counts = new Map<string, number>();

  /** @param label what the names are names of */
  constructor(label: string) {
    this.#label = label;
  }

  note(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  samples(): readonly Sample[] {
    return Array.from(this.#counts, ([name, value]) => ({ labels: { [this.#label]: name }, value }));
  }
}
