// SPDX-License-Identifier: Apache-2.0
import type { LogEvent } from "./view.ts";

/** The last lines of the log, for those who come later. */
export class EventLog {
  readonly #most: number;
  /** id -> line, oldest first */
  readonly #events = new Map<string, LogEvent>();
  #added = 0;

  /** @param most how many are kept */
  constructor(most = 500) {
    this.#most = most;
  }

  /** How many have come so far. */
  get added(): number {
    return this.#added;
  }

  /** Takes the line, unless it has come before and is still here. */
  add(event: LogEvent): void {
    if (this.#events.has(event.id)) return;
    this.#events.set(event.id, event);
    this.#added++;
    const [oldest] = this.#events.keys();
    if (this.#events.size > this.#most && oldest !== undefined) this.#events.delete(oldest);
  }

  /** Those that came after the first `added`, as far as they are still here; in the order of their times. */
  since(added: number): readonly LogEvent[] {
    const count = Math.min(this.#added - added, this.#events.size);
    const events = count <= 0 ? [] : [...this.#events.values()].slice(-count);
    return events.sort((a, b) => a.atMs - b.atMs);
  }
}
