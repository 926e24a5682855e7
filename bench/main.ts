// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- <name>` runs bench/<name>.ts.
import { readdirSync } from "node:fs";

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && file !== "main.ts")
  .map((file) => file.slice(0, -".ts".length));
const [name = ""] = process.argv.slice(2);

if (names.includes(name)) {
  await import(`./${name}.ts`);
} else {
  process.stderr.write(`Cannot run benchmark "${name}": there are ${names.join(", ")}\n`);
  process.exitCode = 2;
}
