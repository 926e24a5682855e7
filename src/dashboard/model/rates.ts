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
/** How many readings are kept. */
export const HISTORY = 60;

export interface RateMeter {
  /**
   * Takes a reading of all counters at a time in milliseconds. Where `items` holds only what changed since the reading before, the rest stood still.
   */
  read(atMs: number, items: readonly Counters[]): void;
  forget(ids: readonly string[]): void;
  rate(id: string): Rate;
  /** The last readings, the newest last. */
  history(id: string): readonly Rate[];
}

interface Known {
  counters: Counters;
  history: Rate[];
}

export function createRateMeter(): RateMeter {
  const known = new Map<string, Known>();
  let lastMs: number | undefined;
  return {
    read(atMs, items) {
      const seconds = lastMs === undefined ? 0 : (atMs - lastMs) / 1000;
      // Two changes of the view may come from one reading.
      if (lastMs !== undefined && seconds <= 0) return;
      lastMs = atMs;
      const changed = new Map(items.map((item) => [item.id, item]));
      for (const [id, entry] of known) {
        const counters = changed.get(id) ?? entry.counters;
        entry.history.push(rateBetween(entry.counters, counters, seconds));
        if (entry.history.length > HISTORY) entry.history.shift();
        entry.counters = counters;
        changed.delete(id);
      }
      for (const [id, counters] of changed) known.set(id, { counters, history: [] });
    },
    forget(ids) {
      for (const id of ids) known.delete(id);
    },
    rate: (id) => known.get(id)?.history.at(-1) ?? NO_RATE,
    history: (id) => known.get(id)?.history ?? [],
  };
}

/** Counters that begin anew, as those of an interface that was made again, have no rate. */
function rateBetween(before: Counters, after: Counters, seconds: number): Rate {
  if (before === after || after.rxBytes < before.rxBytes || after.txBytes < before.txBytes) return NO_RATE;
  const per = (value: number): number => Math.max(0, value) / seconds;
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
