// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";

/** What a secret's file must not grant: anything beyond owner and group, or beyond its owner. */
const OTHERS = 0o007;
const GROUP_AND_OTHERS = 0o077;

export interface SecretFileOptions {
  /** Whether the file's group may have access. @default true */
  readonly group?: boolean;
}

/** Reads a file that holds a secret; throws where anybody may touch it who should not. The message names the file alone. */
export async function readSecretFile(
  path: string,
  { group = true }: SecretFileOptions = {},
): Promise<Buffer> {
  await using file = await open(path);
  const { mode } = await file.stat();
  if ((mode & (group ? OTHERS : GROUP_AND_OTHERS)) !== 0)
    throw new Error(`Cannot use "${path}": others may access it (mode ${(mode & 0o777).toString(8)})`);
  return await file.readFile();
}
