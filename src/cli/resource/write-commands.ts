// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { applyResource, createResource, idOf, replaceResource } from "../../datastore/resources.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { openCommandStore } from "../store.ts";
import { carryOut } from "./carry-out.ts";
import { requireManifests } from "./files.ts";
import {
  type FileOptions,
  type WriteOptions,
  addFileOption,
  addNamespaceOption,
  addWriteOptions,
} from "./options.ts";
import { reviewPools } from "./pool-review.ts";

interface ManifestOptions extends WriteOptions, FileOptions {
  readonly skipExists?: boolean;
}

type Write = typeof applyResource;

export function createCreateCommand(context: CommandContext): Command {
  const description = "store new resources from files; fails for those that are there already";
  return manifestCommand(context, "create", description, createResource).option(
    "--skip-exists",
    "leave alone what is there already, without failing",
  );
}

export function createReplaceCommand(context: CommandContext): Command {
  const description =
    "store resources from files in place of those that are there; fails for those that are not";
  return manifestCommand(context, "replace", description, replaceResource);
}

export function createApplyCommand(context: CommandContext): Command {
  const description = "store resources from files, whether they are there already or not";
  return manifestCommand(context, "apply", description, applyResource);
}

function manifestCommand(context: CommandContext, name: string, description: string, write: Write): Command {
  const command = addNamespaceOption(addFileOption(new Command(name).description(description)));
  return addWriteOptions(command).action(async (options: ManifestOptions) => {
    if (options.filename.length === 0) throw new CommandError("invalid", "Want -f FILE");
    const manifests = await requireManifests(options.filename, options.namespace);
    await using store = openCommandStore(options);
    const resources = manifests.map(({ resource }) => resource);
    const review = reviewPools(store, resources, { signal: context.signal });
    const changes = manifests.map(({ place, resource }) => ({
      id: idOf(resource),
      place,
      run: (change: Parameters<Write>[2]) => write(store, resource, { ...change, review }),
    }));
    const forgive = options.skipExists === true ? ("present" as const) : undefined;
    await carryOut(context, changes, { dryRun: options.dryRun, forgive });
  });
}
