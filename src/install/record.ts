// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { unwrap, parseWith } from "../model/issue.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { PathState } from "./plan.ts";
import { hasCode } from "../system/error-code.ts";
import { DATA_DIRECTORY } from "../system/run-directory.ts";

/** Where a node keeps what was written on it. */
export const RECORD = `${DATA_DIRECTORY}/install.json`;

const schema = z.strictObject({
  /** As it was installed last; an upgrade goes by the same. */
  options: z.strictObject({
    cniBinDirectory: z.string(),
    cniConfigDirectory: z.string(),
    chain: z.array(z.string()),
  }),
  /** In the order in which they were written. Several values for a path: what was there, and what was about to come when it was cut short. */
  files: z.array(
    z.strictObject({ path: z.string(), fingerprints: z.array(z.string()), isOperators: z.boolean() }),
  ),
  /** Made for these files, outermost first. */
  directories: z.array(z.string()),
});

/** What {@link installNode} has written on a node. */
export type InstallRecord = z.infer<typeof schema>;
export type RecordedFile = InstallRecord["files"][number];

/** Reads a node's record; `undefined` where nothing was installed. Throws where it cannot be read: without it nobody knows what is whose. */
export async function readRecord(root: string): Promise<InstallRecord | undefined> {
  const path = join(root, RECORD);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  return unwrap(parseWith(schema, JSON.parse(text) as unknown), `record "${path}"`);
}

/** How things stand with a file that was installed and is not to be there any more. */
export async function leftState(
  root: string,
  { path, fingerprints, isOperators }: RecordedFile,
): Promise<PathState> {
  const present = await fingerprintOf(join(root, path));
  return { path, present, wanted: undefined, recorded: fingerprints, isOperators };
}

export function renderRecord(record: InstallRecord): string {
  return `${JSON.stringify(record, undefined, 2)}\n`;
}
