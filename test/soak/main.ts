// SPDX-License-Identifier: Apache-2.0
// `npm run soak -- <name>` runs test/soak/<name>.ts, for as long as it takes.

const NAMES = ["faults", "first-packet", "ipam-storm", "trace"];
const [name = ""] = process.argv.slice(2);

if (NAMES.includes(name)) {
  await import(`./${name}.ts`);
} else {
  process.stderr.write(`Cannot run soak test "${name}": there are ${NAMES.join(", ")}\n`);
  process.exitCode = 2;
}
