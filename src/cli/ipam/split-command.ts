// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError, Option } from "commander";
import { MOST_PARTS, isPartCount } from "../../model/pool-split.ts";
import { parseCidr } from "../../net/cidr.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { type WriteOptions, addWriteOptions } from "../resource/options.ts";
import { parseId } from "../resource/target.ts";
import { openCommandStore } from "../store.ts";
import { type SplitReport, type SplitTarget, splitStoredPool } from "./split.ts";

interface SplitCommandOptions extends WriteOptions {
  readonly cidr?: string;
  readonly name?: string;
  readonly json?: boolean;
}

export function createSplitCommand({ signal }: CommandContext): Command {
  const command = new Command("split")
    .description("divide a pool into smaller ones of equal size, with its settings; what is in use stays so")
    .argument("<number>", "how many: a power of two", parseNumber)
    .addOption(new Option("--cidr <cidr>", "the pool with this prefix").conflicts("name"))
    .option("--name <pool>", "the pool of this name")
    .option("--json", "print JSON");
  return addWriteOptions(command).action(async (number: number, options: SplitCommandOptions) => {
    const target = targetOf(options);
    const dryRun = options.dryRun === true;
    await using store = openCommandStore(options);
    const report = await splitStoredPool(store, target, number, { dryRun, signal });
    for (const path of report.lost)
      process.stderr.write(
        `margay: IPPool "${report.pool}": ${path}, which this version does not know, is not kept\n`,
      );
    print(options, report, (one) => render(one, dryRun));
  });
}

function targetOf({ cidr, name }: SplitCommandOptions): SplitTarget {
  if (name !== undefined) return { name: parseId("IPPool", name).name };
  if (cidr === undefined)
    throw new CommandError("invalid", "Cannot split: want the pool, by --cidr or --name");
  try {
    return { cidr: parseCidr(cidr) };
  } catch (cause) {
    throw new CommandError("invalid", `Cannot split: ${cause instanceof Error ? cause.message : cidr}`, {
      cause,
    });
  }
}

function render({ pool, parts, outcome }: SplitReport, dryRun: boolean): string {
  if (outcome === "absent") return `IPPool "${pool}" is split already, into ${parts.length} pools`;
  const would = dryRun ? "would be " : "";
  const lines = parts.map((part) =>
    part.outcome === "present"
      ? `IPPool "${part.name}" is there already: ${part.cidr}`
      : `IPPool "${part.name}" ${would}created: ${part.cidr}`,
  );
  return [...lines, `IPPool "${pool}" ${would}deleted`].join("\n");
}

function parseNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && isPartCount(Number(text))) return Number(text);
  throw new InvalidArgumentError(`want a power of two, 2 to ${MOST_PARTS}`);
}
