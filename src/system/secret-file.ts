// SPDX-License-Identifier: Apache-2.0
import { open } from "node:fs/promises";

/** Beyond owner and group: what a secret's file must not grant. */
const OTHERS = 0o007;

/** Reads a file that holds a secret; throws where anybody beyond its owner and group may touch it. The message names the file alone. */
export async function readSecretFile(path: string): Promise<Buffer> {
  await using file = await open(path);
  const { mode } = await file.stat();
  if ((mode & OTHERS) !== 0)
    throw new Error(`Cannot use "${path}": others may access it (mode ${(mode & 0o777).toString(8)})`);
  return await file.readFile();
}
