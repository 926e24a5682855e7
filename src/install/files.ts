// SPDX-License-Identifier: Apache-2.0
// Changes to a node's file system, each of which is done whole or not at all: runtimes and the kubelet read these files at any time, and run
// the program while another takes its place.
import { chmod, copyFile, mkdir, open, rename, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { NodeFile } from "./node-file.ts";
import { hasCode } from "../system/error-code.ts";

/** Puts a file in its place; its folder is there. */
export async function placeFile(root: string, file: NodeFile): Promise<void> {
  const path = join(root, file.path);
  // Runtimes read every name in a folder of networks that ends in .conf, .conflist or .json; this one does not.
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await rm(unfinished, { force: true });
    await writeNew(unfinished, file);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function writeNew(path: string, file: NodeFile): Promise<void> {
  switch (file.kind) {
    case "link":
      await symlink(file.target, path);
      return;
    case "program":
      await copyFile(file.source, path);
      await chmod(path, 0o755);
      break;
    case "text":
    case "first":
      await writeFile(path, file.text, { flag: "wx" });
      await chmod(path, 0o644);
  }
  await using written = await open(path);
  await written.sync();
}

/** The folders above a path that are not there, outermost first. */
export function missingDirectories(root: string, path: string): readonly string[] {
  const missing: string[] = [];
  for (let folder = dirname(path); !existsSync(join(root, folder)); folder = dirname(folder))
    missing.unshift(folder);
  return missing;
}

export async function makeDirectories(root: string, directories: readonly string[]): Promise<void> {
  for (const directory of directories) await mkdir(join(root, directory), { recursive: true, mode: 0o755 });
}

/** Removes folders that have become empty, innermost first; one that others use stays. */
export async function removeEmptyDirectories(root: string, directories: readonly string[]): Promise<void> {
  for (const directory of directories.toReversed()) {
    try {
      await rmdir(join(root, directory));
    } catch (error) {
      if (!hasCode(error, "ENOTEMPTY", "EEXIST", "ENOENT")) throw error;
    }
  }
}
