// SPDX-License-Identifier: Apache-2.0
import { byId } from "./by-id.ts";
import type { Item, View } from "./view.ts";

type Counters = Item<"counters">;

/** The new counters sorted by their ids, or the very same collection as before where nothing has passed. */
export function mergeCounters(before: View["counters"], now: readonly Counters[]): View["counters"] {
  const sorted = byId(now);
  const isSame = sorted.length === before.length && sorted.every((one, index) => isEqual(one, before[index]));
  return isSame ? before : sorted;
}

function isEqual(a: Counters, b: Counters | undefined): boolean {
  return (
    a.id === b?.id &&
    a.rxPackets === b.rxPackets &&
    a.rxBytes === b.rxBytes &&
    a.txPackets === b.txPackets &&
    a.txBytes === b.txBytes
  );
}
