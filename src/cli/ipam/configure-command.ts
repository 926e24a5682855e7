// SPDX-License-Identifier: Apache-2.0
import { Command, InvalidArgumentError } from "commander";
import { applyResource, changeResource } from "../../datastore/resources.ts";
import type { Store } from "../../datastore/store.ts";
import type { IPAMConfigSpec } from "../../model/ipam-config.ts";
import { formatIssues } from "../../model/issue.ts";
import { mergePatch } from "../../model/merge-patch.ts";
import { API_VERSION, parseResource } from "../../model/resource.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { type StoreOptions, addStoreOptions, openCommandStore } from "../store.ts";

interface ConfigureOptions extends StoreOptions {
  readonly strictaffinity?: boolean;
  readonly maxBlocksPerHost?: number;
  readonly ipCooldownSeconds?: number;
  readonly json?: boolean;
}

type Change = Partial<Pick<IPAMConfigSpec, "strictAffinity" | "maxBlocksPerHost" | "ipCooldownSeconds">>;

export function createConfigureCommand({ signal }: CommandContext): Command {
  const command = new Command("configure")
    .description('change how nodes take addresses: the IPAMConfig "default"')
    .option("--strictaffinity <true|false>", "nodes take addresses from their own blocks only", parseBoolean)
    .option("--max-blocks-per-host <number>", "blocks that one node may hold; 0 for 20", parseCount)
    .option(
      "--ip-cooldown-seconds <number>",
      "for how long an address that was given back is not given out again",
      parseCount,
    )
    .option("--json", "print JSON");
  return addStoreOptions(command).action(async (options: ConfigureOptions) => {
    const { strictaffinity: strictAffinity, maxBlocksPerHost, ipCooldownSeconds } = options;
    const change: Change = {
      ...(strictAffinity !== undefined && { strictAffinity }),
      ...(maxBlocksPerHost !== undefined && { maxBlocksPerHost }),
      ...(ipCooldownSeconds !== undefined && { ipCooldownSeconds }),
    };
    if (Object.keys(change).length === 0)
      throw new CommandError(
        "invalid",
        "Cannot configure: want --strictaffinity, --max-blocks-per-host or --ip-cooldown-seconds",
      );
    await using store = openCommandStore(options);
    await configure(store, change, signal);
    print(options, change, () => "configured");
  });
}

/** Changes what is there; what is not there begins with its defaults. */
async function configure(store: Store, spec: Change, signal: AbortSignal): Promise<void> {
  const id = { kind: "IPAMConfig", name: "default" } as const;
  const changed = await changeResource(store, id, (before) => mergePatch(before, { spec }), { signal });
  if (changed.kind === "invalid") throw refuse(formatIssues(changed.issues));
  if (changed.kind !== "absent") return;
  const resource = { apiVersion: API_VERSION, kind: id.kind, metadata: { name: id.name }, spec };
  const parsed = parseResource(id.kind, resource);
  if (parsed.kind === "invalid") throw refuse(formatIssues(parsed.issues));
  const applied = await applyResource(store, parsed.value, { signal });
  if (applied.kind === "invalid") throw refuse(formatIssues(applied.issues));
}

function refuse(issues: string): CommandError {
  return new CommandError("invalid", `Cannot configure: ${issues}`);
}

function parseBoolean(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("want true or false");
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("want a number");
}
