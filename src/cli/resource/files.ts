// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { CommandError } from "../exit.ts";
import { type Items, readItems } from "./document.ts";
import { type Manifest, type Manifests, parseItems } from "./manifest.ts";
import { formatFault } from "./place.ts";

/** What stands for standard input among files. */
export const STANDARD_INPUT = "-";

/** Reads files and checks what is in them; throws {@link CommandError} for one that cannot be read. */
export async function readManifests(files: readonly string[], namespace?: string): Promise<Manifests> {
  const items: Items[] = [];
  for (const file of files) items.push(readItems(sourceName(file), await readSource(file)));
  return parseItems(items, namespace);
}

/** As {@link readManifests}, and throws {@link CommandError} with every fault where there is any. */
export async function requireManifests(
  files: readonly string[],
  namespace?: string,
): Promise<readonly Manifest[]> {
  const { manifests, faults } = await readManifests(files, namespace);
  if (faults.length === 0) return manifests;
  throw new CommandError("invalid", faults.map(formatFault));
}

/** The file as messages name it. */
export function sourceName(file: string): string {
  return file === STANDARD_INPUT ? "standard input" : file;
}

/** The text of a file, or of standard input; throws {@link CommandError} where it cannot be read. */
export async function readSource(file: string): Promise<string> {
  try {
    return file === STANDARD_INPUT ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("invalid", `Cannot read ${JSON.stringify(file)}: ${reason}`, { cause });
  }
}
