// SPDX-License-Identifier: Apache-2.0
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { currentNetnsId } from "../dataplane/netlink/netns.ts";
import { FRR_DIRECTORY, LABS_DIRECTORY, type Layout, NETNS_DIRECTORY } from "./layout.ts";
import { deleteNamespaces, listNamespaces } from "./namespaces.ts";
import { killOccupants, netnsIdAt } from "./occupants.ts";
import type { LabTools } from "./tools.ts";
import { hasCode } from "../system/error-code.ts";

/**
 * Removes every trace of the lab, whatever state it is in; the caller holds the lab's lock. Needs nothing but the names
 * that all of the lab's namespaces have, so it also cleans up after crashes.
 */
export async function removeLab(tools: LabTools, layout: Layout): Promise<void> {
  // First of all: whatever is left after a crash in here is no lab any more.
  await rm(layout.stateFile, { force: true });
  const names = await listNamespaces(layout);
  await killOccupants(namespaceIds(names), { clock: tools.clock });
  await deleteNamespaces(tools.processes, names);
  await removeFrrDirectories(layout);
  await rm(layout.directory, { recursive: true, force: true });
  await removeIfEmpty(LABS_DIRECTORY);
  await removeIfEmpty(dirname(LABS_DIRECTORY));
}

async function removeFrrDirectories({ namespacePrefix }: Layout): Promise<void> {
  const names = await readdir(FRR_DIRECTORY).catch(() => []);
  for (const name of names.filter((found) => found.startsWith(namespacePrefix)))
    await rm(join(FRR_DIRECTORY, name), { recursive: true, force: true });
}

function namespaceIds(names: readonly string[]): ReadonlySet<string> {
  const ids = new Set(
    names.map((name) => netnsIdAt(join(NETNS_DIRECTORY, name))).filter((id) => id !== undefined),
  );
  // Someone could have given the machine's own namespace such a name.
  ids.delete(currentNetnsId());
  return ids;
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY", "ENOENT")) throw error;
  }
}
