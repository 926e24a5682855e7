// SPDX-License-Identifier: Apache-2.0
import { open, rename, rm } from "node:fs/promises";

/** Puts a file in place of whatever has its name, in one step: a crash leaves the old content or the new. Nobody but its owner may read it, unless `mode` says so. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode = 0o600 }: { readonly mode?: number } = {},
): Promise<void> {
  const next = `${path}.new`;
  await rm(next, { force: true });
  const file = await open(next, "wx", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
}
