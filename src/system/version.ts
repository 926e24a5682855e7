// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { z } from "zod";

const manifest = z.looseObject({ version: z.string() });

/** The version that the package's manifest names. */
export function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return manifest.parse(JSON.parse(text)).version;
}
