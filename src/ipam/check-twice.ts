// SPDX-License-Identifier: Apache-2.0
import type { Store } from "../datastore/store.ts";
import type { Clock } from "../system/clock.ts";
import { type Finding, checkIpam, findingsOfBoth } from "./check.ts";
import { type Inventory, readInventory } from "./inventory.ts";

/** An attachment that is under way is through with it by then. */
const SECOND_LOOK_MS = 1000;

/** What was looked at last, and what is amiss in it. */
export interface IpamLook {
  readonly inventory: Inventory;
  readonly findings: readonly Finding[];
}

/** What is amiss is looked at once more, unless nothing is. Rejects with `DatastoreError`, or the signal's reason. */
export async function checkIpamTwice(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  { signal }: { readonly signal: AbortSignal },
): Promise<IpamLook> {
  const first = await readInventory(store, { signal });
  const found = checkIpam(first);
  if (found.length === 0) return { inventory: first, findings: [] };
  await clock.sleep(SECOND_LOOK_MS, { signal });
  const second = await readInventory(store, { signal });
  return { inventory: second, findings: findingsOfBoth(found, checkIpam(second)) };
}
