// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { type ChangeOptions, deleteResource } from "../../datastore/resources.ts";
import type { Store } from "../../datastore/store.ts";
import type { ResourceId } from "../../model/keys.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { openCommandStore } from "../store.ts";
import { type Outcome, carryOut } from "./carry-out.ts";
import { deleteNode } from "./delete-node.ts";
import { deletePool } from "./delete-pool.ts";
import type { DeletionOptions } from "./deletion.ts";
import {
  type FileOptions,
  type WriteOptions,
  addFileOption,
  addNamespaceOption,
  addWriteOptions,
} from "./options.ts";
import { readTargets } from "./target.ts";

interface DeleteOptions extends WriteOptions, FileOptions {
  readonly ignoreNotFound?: boolean;
  readonly skipNotExists?: boolean;
  readonly force?: boolean;
}

export function createDeleteCommand(context: CommandContext): Command {
  const command = new Command("delete")
    .description("delete resources by kind and name, or those that files name")
    .argument("[kind]", "kind of resource")
    .argument("[names...]", "names")
    .option("--ignore-not-found", "leave out what is not there, without failing")
    .option("--skip-not-exists", "the same, as calicoctl calls it")
    .option("--force", "pools whose addresses containers have, and nodes with containers too");
  addNamespaceOption(addFileOption(command));
  return addWriteOptions(command).action(
    async (kind: string | undefined, names: readonly string[], options: DeleteOptions) => {
      const targets = await readTargets(kind, names, options);
      if (targets.length === 0) throw new CommandError("invalid", "Want names of what to delete, or -f FILE");
      await using store = openCommandStore(options);
      const isForced = options.force === true;
      const changes = targets.map(({ id, place, seen = {} }) => ({
        id,
        place,
        run: (change: ChangeOptions) => deleteSafely(store, id, { ...change, seen, isForced }),
      }));
      const isForgiven = options.ignoreNotFound === true || options.skipNotExists === true;
      await carryOut(context, changes, {
        dryRun: options.dryRun,
        forgive: isForgiven ? "absent" : undefined,
      });
    },
  );
}

/** Deletes a resource, after what has to go before it. What containers rely on goes only where that is forced. */
async function deleteSafely(store: Store, id: ResourceId, options: DeletionOptions): Promise<Outcome> {
  if (id.kind === "IPPool") return await deletePool(store, id, options);
  if (id.kind === "Node") return await deleteNode(store, id, options);
  return await deleteResource(store, id, options);
}
