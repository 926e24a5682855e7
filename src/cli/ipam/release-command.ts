// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import type { Store } from "../../datastore/store.ts";
import { allocationsOf } from "../../ipam/block.ts";
import { type Inventory, readInventory } from "../../ipam/inventory.ts";
import { type SeenAddress, releaseSeenAddresses } from "../../ipam/release.ts";
import type { Ip } from "../../net/ip.ts";
import { cidrContainsIp } from "../../net/cidr.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import { parseAddress } from "./address.ts";
import { readLeaks } from "./report.ts";

interface ReleaseOptions extends StoreOptions {
  readonly ip?: string;
  readonly fromReport?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const SECOND_LOOK_MS = 1000;

export function createReleaseCommand({ signal }: CommandContext): Command {
  const command = new Command("release")
    .description("give back an address that nobody uses, or all that a report names")
    .option("--ip <address>", "this one")
    .option("--from-report <file>", "the leaked ones of a report by ipam check")
    .option("--force", "also what is in use")
    .option("--json", "print JSON");
  return addStoreOptions(command).action(async (options: ReleaseOptions) => {
    await using store = openCommandStore(options);
    const chosen = await choose(store, options, signal);
    const released = await releaseSeenAddresses(store, chosen, { signal });
    const kept = chosen.map(({ ip }) => ip).filter((ip) => !released.includes(ip));
    print(options, { released, kept }, render);
  });
}

async function choose(
  store: Store,
  { ip, fromReport, force = false }: ReleaseOptions,
  signal: AbortSignal,
): Promise<readonly SeenAddress[]> {
  if ((ip === undefined) === (fromReport === undefined))
    throw new CommandError("invalid", "Cannot release: want either --ip or --from-report");
  const inventory = await readInventory(store, { signal });
  const wanted =
    fromReport === undefined ? [held(inventory, parseAddress(ip ?? ""))] : await readLeaks(fromReport);
  if (force) return wanted;
  for (const one of wanted) requireUnused(inventory, one.ip);
  // One that an attachment under way has taken is recorded by then.
  await delay(SECOND_LOOK_MS, undefined, { signal });
  const again = await readInventory(store, { signal });
  for (const one of wanted) requireUnused(again, one.ip);
  return wanted;
}

function held({ blocks }: Inventory, ip: Ip): SeenAddress {
  for (const [cidr, block] of blocks) {
    if (!cidrContainsIp(cidr, ip)) continue;
    const allocation = allocationsOf(block).find((one) => one.ip === ip);
    if (allocation === undefined) break;
    const { handleId, sequence } = allocation;
    return { ip, block: cidr, handleId, sequence: String(sequence) };
  }
  throw new CommandError("absent", `Cannot release ${ip}: it is not allocated`);
}

/** What a report calls leaked may have come into use since. */
function requireUnused({ uses }: Inventory, ip: Ip): void {
  const use = uses.find((one) => one.ip === ip);
  if (use !== undefined)
    throw new CommandError(
      "conflict",
      `Cannot release ${ip}: ${use.by} has it; --force does it all the same`,
    );
}

function render({
  released,
  kept,
}: {
  readonly released: readonly Ip[];
  readonly kept: readonly Ip[];
}): string {
  return [
    ...released.map((ip) => `${ip} released`),
    ...kept.map((ip) => `${ip} is not held as it was seen any more, and stays as it is`),
    ...(released.length + kept.length === 0 ? ["nothing to release"] : []),
  ].join("\n");
}
