// SPDX-License-Identifier: Apache-2.0
// What interfaces carry, from their counters.

/** As the view has them. */
export interface Counters {
  readonly id: string;
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
}

/** Bits and packets a second. */
export interface Rate {
  readonly rxBits: number;
  readonly txBits: number;
  readonly rxPackets: number;
  readonly txPackets: number;
}

export const NO_RATE: Rate = { rxBits: 0, txBits: 0, rxPackets: 0, txPackets: 0 };
/** How many seconds are kept. */
export const HISTORY = 60;
/** Counters are read once a second, by each node at its own time; those that did not change are not told. */
const READING_MS = 1000;
/** Of a counter that is not told for so long, nothing has been added. */
const STILL_MS = 1600;

export interface RateMeter {
  /** Counters as they stood at a time in milliseconds: all, or those that have changed. */
  read(atMs: number, items: readonly Counters[]): void;
  /** Takes down rates as they are at a time; to be called each second. */
  note(atMs: number): void;
  forget(ids: readonly string[]): void;
  /** As last noted. */
  rate(id: string): Rate;
  /** What was noted, the newest last. */
  history(id: string): readonly Rate[];
}

interface Known {
  counters: Counters;
  readMs: number;
  rate: Rate;
  readonly history: Rate[];
}

export function createRateMeter(): RateMeter {
  const known = new Map<string, Known>();
  const readOne = (atMs: number, counters: Counters): void => {
    const entry = known.get(counters.id);
    if (entry === undefined) {
      known.set(counters.id, { counters, readMs: atMs, rate: NO_RATE, history: [] });
    } else if (atMs > entry.readMs) {
      const sinceMs = atMs - entry.readMs;
      // It stood still until the last reading but one.
      entry.rate = rateBetween(entry.counters, counters, sinceMs > STILL_MS ? READING_MS : sinceMs);
      entry.counters = counters;
      entry.readMs = atMs;
    }
  };
  return {
    read(atMs, items) {
      for (const counters of items) readOne(atMs, counters);
    },
    note(atMs) {
      for (const entry of known.values()) {
        entry.history.push(atMs - entry.readMs > STILL_MS ? NO_RATE : entry.rate);
        if (entry.history.length > HISTORY) entry.history.shift();
      }
    },
    forget(ids) {
      for (const id of ids) known.delete(id);
    },
    rate: (id) => known.get(id)?.history.at(-1) ?? NO_RATE,
    history: (id) => known.get(id)?.history ?? [],
  };
}

/** Counters that begin anew, as those of an interface that was made again, have no rate. */
function rateBetween(before: Counters, after: Counters, ms: number): Rate {
  if (after.rxBytes < before.rxBytes || after.txBytes < before.txBytes) return NO_RATE;
  const per = (value: number): number => (Math.max(0, value) * 1000) / ms;
  return {
    rxBits: per(after.rxBytes - before.rxBytes) * 8,
    txBits: per(after.txBytes - before.txBytes) * 8,
    rxPackets: per(after.rxPackets - before.rxPackets),
    txPackets: per(after.txPackets - before.txPackets),
  };
}

const UNITS = ["b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s"] as const;

/** `0 b/s`, `940 b/s`, `1.2 kb/s`, `34 Mb/s`: two digits, for more would only flicker. */
export function formatBits(bits: number): string {
  let value = bits;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${digits(value, unit)} ${UNITS[unit] ?? ""}`;
}

function digits(value: number, unit: number): string {
  return unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

/** `1,234 p/s` */
export function formatPackets(packets: number): string {
  return `${Math.round(packets).toLocaleString("en")} p/s`;
}

/** How busy, in steps that a glance can tell apart: 0 nothing, then a step for each two powers of ten from 1 b/s on, 4 at most. */
export function activityOf({ rxBits, txBits }: Rate): 0 | 1 | 2 | 3 | 4 {
  const bits = rxBits + txBits;
  if (bits < 1) return 0;
  if (bits < 1e4) return 1;
  if (bits < 1e6) return 2;
  return bits < 1e8 ? 3 : 4;
}
