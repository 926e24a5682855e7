// SPDX-License-Identifier: Apache-2.0
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { removeEmptyDirectories } from "./files.ts";
import { type Step, planPath } from "./plan.ts";
import { type InstallRecord, RECORD, leftState } from "./record.ts";

export interface UninstallOptions {
  readonly root: string;
  /** Also removes what has been changed since it was written. */
  readonly overwrite: boolean;
}

/** What {@link uninstallNode} would do. The network's configuration goes first: no runtime is to attach a container from then on. */
export async function planUninstall(
  record: InstallRecord,
  { root, overwrite }: UninstallOptions,
): Promise<readonly Step[]> {
  const states = record.files.toReversed().map((file) => leftState(root, file));
  return (await Promise.all(states)).map((state) => planPath(state, { overwrite }));
}

/** Takes away exactly what was installed; what was changed since is kept, and from then on nobody's. */
export async function uninstallNode(
  record: InstallRecord,
  options: UninstallOptions,
): Promise<readonly Step[]> {
  const steps = await planUninstall(record, options);
  for (const { path, kind } of steps) if (kind === "remove") await rm(join(options.root, path));
  await rm(join(options.root, RECORD));
  await removeEmptyDirectories(options.root, record.directories);
  return steps;
}
