// SPDX-License-Identifier: Apache-2.0
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { describeFinding } from "../../ipam/check.ts";
import { type IpamLook, checkIpamTwice } from "../../ipam/check-twice.ts";
import { systemClock } from "../../system/clock.ts";
import type { CommandContext } from "../context.ts";
import { EXIT } from "../exit.ts";
import { print } from "../print.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";
import type { Report } from "./report.ts";

interface CheckOptions extends StoreOptions {
  readonly output?: string;
  readonly json?: boolean;
}

export function createCheckCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("check")
    .description("compare what is allocated with what is in use; fails if anything is amiss")
    .option("-o, --output <file>", "write a report, which release takes")
    .option("--json", "print JSON");
  return addStoreOptions(command).action(async (options: CheckOptions) => {
    await using store = openCommandStore(options);
    const report = reportOf(await checkIpamTwice({ store, clock: systemClock }, { signal }));
    if (options.output !== undefined)
      await writeFile(options.output, `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
    print(options, report, render);
    if (report.findings.length > 0) exitWith(EXIT.failed);
  });
}

function reportOf({ inventory: { revision, blocks, uses }, findings }: IpamLook): Report {
  return { version: 1, revision, blocks: blocks.size, inUse: uses.length, findings };
}

function render({ blocks, inUse, findings }: Report): string {
  const looked = `${inUse} addresses in use, ${blocks} blocks`;
  if (findings.length === 0) return `${looked}: all is well`;
  return [`${looked}; amiss:`, ...findings.map((finding) => `  ${describeFinding(finding)}`)].join("\n");
}
