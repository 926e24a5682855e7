// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import type { Store } from "../../datastore/store.ts";
import { type Finding, checkIpam, describeFinding, findingsOfBoth } from "../../ipam/check.ts";
import { type Inventory, readInventory } from "../../ipam/inventory.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { print } from "../print.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import type { Report } from "./report.ts";

interface CheckOptions extends StoreOptions {
  readonly output?: string;
  readonly json?: boolean;
}

/** An attachment that is under way is through with it by then. */
const SECOND_LOOK_MS = 1000;

export function createCheckCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("check")
    .description("compare what is allocated with what is in use; fails if anything is amiss")
    .option("-o, --output <file>", "write a report, which release takes")
    .option("--json", "print JSON");
  return addStoreOptions(command).action(async (options: CheckOptions) => {
    await using store = openCommandStore(options);
    const report = await checkTwice(store, signal);
    if (options.output !== undefined)
      await writeFile(options.output, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
    print(options, report, render);
    if (report.findings.length > 0) exitWith(EXIT.failed);
  });
}

/** What is amiss is looked at once more, unless nothing is. */
async function checkTwice(store: Store, signal: AbortSignal): Promise<Report> {
  const first = await readInventory(store, { signal });
  const found = checkIpam(first);
  if (found.length === 0) return reportOf(first, []);
  await delay(SECOND_LOOK_MS, undefined, { signal });
  const second = await readInventory(store, { signal });
  return reportOf(second, findingsOfBoth(found, checkIpam(second)));
}

function reportOf({ revision, blocks, uses }: Inventory, findings: readonly Finding[]): Report {
  return { version: 1, revision, blocks: blocks.size, inUse: uses.length, findings };
}

function render({ blocks, inUse, findings }: Report): string {
  const looked = `${inUse} addresses in use, ${blocks} blocks`;
  if (findings.length === 0) return `${looked}: all is well`;
  return [`${looked}; amiss:`, ...findings.map((finding) => `  ${describeFinding(finding)}`)].join("\n");
}
