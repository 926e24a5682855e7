// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { lstat, readFile, readlink } from "node:fs/promises";
import type { NodeFile } from "./node-file.ts";
import { hasCode } from "../system/error-code.ts";

/** What a path holds: `sha256:<hex>` of a file's bytes, `link:<target>`, or `other`. */
export type Fingerprint = string;

/** What is at a path, by itself; `undefined` where nothing is. */
export async function fingerprintOf(path: string): Promise<Fingerprint | undefined> {
  try {
    const status = await lstat(path);
    if (status.isSymbolicLink()) return `link:${await readlink(path)}`;
    return status.isFile() ? hash(await readFile(path)) : "other";
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** What a path will hold. */
export async function wantedFingerprint(file: NodeFile): Promise<Fingerprint> {
  switch (file.kind) {
    case "text":
    case "first":
      return hash(file.text);
    case "program":
      return hash(await readFile(file.source));
    case "link":
      return `link:${file.target}`;
  }
}

function hash(data: string | Buffer): Fingerprint {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}
