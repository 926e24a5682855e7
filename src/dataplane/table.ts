// SPDX-License-Identifier: Apache-2.0
import type { Delta } from "../desired/wanted.ts";

/** Why an object is not yet as it should be. */
export interface Fault {
  readonly message: string;
  readonly attempts: number;
  /** When to try again, in milliseconds of the clock. */
  readonly retryAtMs: number;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;

/**
 * Wanted and seen state of one kind of kernel object, and the keys at which the two may differ. Whoever learns something marks keys dirty;
 * only the apply step looks at them. A key that fails stays here, with its reason, until it succeeds.
 */
export class ReconcileTable<W, S> {
  readonly #wanted = new Map<string, W>();
  readonly #seen = new Map<string, S>();
  readonly #dirty = new Set<string>();
  /** Keys that the apply step has taken and not yet concluded. */
  readonly #underWay = new Set<string>();
  readonly #faults = new Map<string, Fault>();
  /** Keys that wait for something else, such as an interface that is not there yet. */
  readonly #blocked = new Map<string, string>();
  /** key -> when to look at it again, in milliseconds of the clock */
  readonly #postponed = new Map<string, number>();
  #failures = 0;
  readonly #ifNameOf: (wanted: W) => string | undefined;
  /** interface -> the wanted keys that belong to it */
  readonly #byIfName = new Map<string, Set<string>>();

  constructor(ifNameOf: (wanted: W) => string | undefined) {
    this.#ifNameOf = ifNameOf;
  }

  wanted(key: string): W | undefined {
    return this.#wanted.get(key);
  }

  seen(key: string): S | undefined {
    return this.#seen.get(key);
  }

  /** Whether something that matches is seen to stand. */
  hasSeen(matches: (seen: S) => boolean): boolean {
    return this.#seen.values().some(matches);
  }

  get wantedCount(): number {
    return this.#wanted.size;
  }

  get faults(): ReadonlyMap<string, Fault> {
    return this.#faults;
  }

  get blocked(): ReadonlyMap<string, string> {
    return this.#blocked;
  }

  /** Whether a key waits to be looked at, or is being worked on. */
  get isBusy(): boolean {
    return this.#dirty.size > 0 || this.#underWay.size > 0;
  }

  /** How many keys wait to be looked at, or are being worked on. */
  get busyCount(): number {
    return this.#dirty.union(this.#underWay).size;
  }

  /** How many attempts have failed so far. */
  get failures(): number {
    return this.#failures;
  }

  /** When the earliest key that has failed, or was postponed, is to be looked at again; `Infinity` where there is none. */
  get nextRetryMs(): number {
    const retries = Array.from(this.#faults.values(), (fault) => fault.retryAtMs);
    return Math.min(Infinity, ...retries, ...this.#postponed.values());
  }

  want(delta: Delta<W>): void {
    for (const [key, value] of delta) {
      this.#index(key, this.#wanted.get(key), value);
      if (value === undefined) this.#wanted.delete(key);
      else this.#wanted.set(key, value);
      this.#dirty.add(key);
    }
  }

  /** Takes note of what stands at `key`; `undefined` where nothing does. */
  see(key: string, seen: S | undefined): void {
    if (seen === undefined) this.#seen.delete(key);
    else this.#seen.set(key, seen);
    this.#dirty.add(key);
  }

  /** What is expected to stand at `key` once the request under way is carried out; a later event has the last word. */
  expect(key: string, seen: S | undefined): void {
    if (seen === undefined) this.#seen.delete(key);
    else this.#seen.set(key, seen);
  }

  /** Replaces everything seen by a fresh listing. */
  reset(listing: ReadonlyMap<string, S>): void {
    for (const key of this.#seen.keys()) this.#dirty.add(key);
    this.#seen.clear();
    for (const [key, seen] of listing) this.see(key, seen);
    this.markWanted();
  }

  /** Forgets what matches: the kernel has removed it without saying so. */
  forget(matches: (seen: S) => boolean): void {
    for (const [key, seen] of this.#seen) if (matches(seen)) this.see(key, undefined);
  }

  markWanted(): void {
    for (const key of this.#wanted.keys()) this.#dirty.add(key);
  }

  /** Tries failed keys again now: something that may have been in their way has changed. */
  markFaults(): void {
    for (const key of this.#faults.keys()) this.#dirty.add(key);
    for (const key of this.#blocked.keys()) this.#dirty.add(key);
  }

  mark(key: string): void {
    this.#dirty.add(key);
  }

  markInterface(ifName: string): void {
    for (const key of this.#byIfName.get(ifName) ?? []) this.#dirty.add(key);
  }

  /** The keys to look at now; those whose retry is not due yet, or which `only` leaves out, stay behind. */
  takeDirty(nowMs: number, only: (key: string) => boolean = () => true): readonly string[] {
    for (const [key, fault] of this.#faults) if (fault.retryAtMs <= nowMs) this.#dirty.add(key);
    for (const [key, atMs] of this.#postponed) if (atMs <= nowMs) this.#dirty.add(key);
    const keys = [...this.#dirty].filter(only);
    for (const key of keys) {
      this.#underWay.add(key);
      this.#dirty.delete(key);
    }
    return keys;
  }

  /** Takes back what was taken and not concluded: what came of it is not known. */
  giveUp(): void {
    for (const key of this.#underWay) this.#dirty.add(key);
    this.#underWay.clear();
  }

  done(key: string): void {
    this.#conclude(key);
  }

  block(key: string, reason: string): void {
    this.#conclude(key);
    this.#blocked.set(key, reason);
  }

  /** Leaves it as it is until then. */
  postpone(key: string, atMs: number): void {
    this.#conclude(key);
    this.#postponed.set(key, atMs);
  }

  fail(key: string, message: string, nowMs: number): Fault {
    const attempts = (this.#faults.get(key)?.attempts ?? 0) + 1;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LAST_RETRY_MS);
    const fault = { message, attempts, retryAtMs: nowMs + delayMs };
    this.#conclude(key);
    this.#faults.set(key, fault);
    this.#failures++;
    return fault;
  }

  /** What keeps the interface's objects from being as they should be; empty when all of them are. */
  pendingOn(ifName: string): readonly string[] {
    const keys = [...(this.#byIfName.get(ifName) ?? [])];
    return keys.flatMap((key) => this.pendingAt(key) ?? []);
  }

  /** What keeps the object from being as it should be, if anything does. */
  pendingAt(key: string): string | undefined {
    const reason = this.#faults.get(key)?.message ?? this.#blocked.get(key);
    if (reason !== undefined) return reason;
    return this.#dirty.has(key) || this.#underWay.has(key) ? `${key} is not applied yet` : undefined;
  }

  wantedEntries(): Iterable<readonly [string, W]> {
    return this.#wanted.entries();
  }

  seenEntries(): Iterable<readonly [string, S]> {
    return this.#seen.entries();
  }

  #conclude(key: string): void {
    this.#underWay.delete(key);
    this.#faults.delete(key);
    this.#blocked.delete(key);
    this.#postponed.delete(key);
  }

  #index(key: string, before: W | undefined, after: W | undefined): void {
    const from = before && this.#ifNameOf(before);
    const to = after && this.#ifNameOf(after);
    if (from === to) return;
    if (from !== undefined) {
      const keys = this.#byIfName.get(from);
      keys?.delete(key);
      if (keys?.size === 0) this.#byIfName.delete(from);
    }
    if (to !== undefined) this.#byIfName.set(to, (this.#byIfName.get(to) ?? new Set()).add(key));
  }
}
