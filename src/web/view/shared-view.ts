// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import { type WrittenView, renderDifference, renderWhole, writeView } from "./difference.ts";
import type { LiveView } from "./source.ts";

/** A live view for several who follow it: what is told is written once for all of them. */
export class SharedView implements AsyncDisposable {
  readonly #live: LiveView;
  readonly #closing = new AbortController();
  readonly #conditions = new Conditions();
  readonly #keeping: Promise<void>;
  #written: WrittenView;
  /** The last difference that was written: those who follow closely all want the same. */
  #last: { readonly from: WrittenView; readonly text: string | undefined };

  /** @param intervalMs between two changes that are told */
  constructor(live: LiveView, { clock, intervalMs }: { readonly clock: Clock; readonly intervalMs: number }) {
    this.#live = live;
    this.#written = writeView(live.read());
    this.#last = { from: this.#written, text: undefined };
    this.#keeping = this.#keep(clock, intervalMs).catch(() => undefined);
  }

  get log(): LiveView["log"] {
    return this.#live.log;
  }

  /** As it is to be told now; the very same as long as nothing differs. */
  get written(): WrittenView {
    return this.#written;
  }

  /** As it is at this moment, in JSON. */
  renderNow(): string {
    return renderWhole(writeView(this.#live.read(), this.#written));
  }

  /** What {@link SharedView.written} has that `from` has not; `undefined` where nothing differs. */
  difference(from: WrittenView): string | undefined {
    if (from === this.#written) return undefined;
    if (this.#last.from !== from) this.#last = { from, text: renderDifference(from, this.#written) };
    return this.#last.text;
  }

  /** Resolves once `isMet` holds after a change; rejects with the signal's reason. */
  async until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    await this.#conditions.until(isMet, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#keeping;
    await this.#live[Symbol.asyncDispose]();
  }

  async #keep(clock: Clock, intervalMs: number): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      await this.#live.changed(signal);
      this.#renew();
      this.#conditions.check();
      await clock.sleep(intervalMs, { signal });
    }
  }

  #renew(): void {
    const from = this.#written;
    const next = writeView(this.#live.read(), from);
    const text = renderDifference(from, next);
    if (text === undefined) return;
    this.#written = next;
    this.#last = { from, text };
  }
}
