// SPDX-License-Identifier: Apache-2.0
// Lays out what users get of this repository: the sources that the two programs import, as JavaScript, for Node takes types from no source
// below node_modules. Types become blanks, so lines and columns in stack traces are those of the sources.
//   node scripts/stage.ts FOLDER
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, dirname, join, normalize } from "node:path";

const ENTRIES = ["src/bin/margay.ts", "src/bin/margay-cni.ts"];
/** Read by programs as they run, beside the sources. */
const DATA = ["src/datastore/etcd/etcd.proto", "src/lab/topologies"];
const PROGRAMS = ["bin/margay", "bin/margay-cni", "bin/node.sh"];
const AS_THEY_ARE = ["LICENSE", "README.md", "CHANGELOG.md", "ARCHITECTURE.md", "docs"];
/** A name of another source, relative to its own. */
const SOURCE_NAME = /"(\.{1,2}\/[^"\n]+)\.ts"/g;
const IMPORT = /\b(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+\.ts)"/g;

const [folder = assert.fail("usage: node scripts/stage.ts FOLDER")] = process.argv.slice(2);
process.chdir(dirname(import.meta.dirname));
rmSync(folder, { recursive: true, force: true });
for (const source of importedBy(ENTRIES)) write(source.replace(/\.ts$/, ".js"), toJavaScript(source));
for (const path of PROGRAMS)
  write(path, readFileSync(path, "utf8").replaceAll(/(src\/bin\/[a-z-]+)\.ts/g, "$1.js"), 0o755);
const plugin = `dist/margay-cni-${process.arch}`;
const page = "dist/dashboard";
for (const path of [...DATA, ...AS_THEY_ARE]) cpSync(path, join(folder, path), { recursive: true });
mkdirSync(join(folder, dirname(plugin)));
cpSync(plugin, join(folder, plugin));
cpSync(page, join(folder, page), { recursive: true });
write("package.json", `${JSON.stringify(manifest(), undefined, 2)}\n`);

/** The sources, and all that they import, and so on. */
function importedBy(entries: readonly string[]): ReadonlySet<string> {
  const found = new Set(entries);
  for (const path of found) {
    const text = stripped(path);
    for (const [, to = ""] of text.matchAll(IMPORT)) found.add(normalize(join(dirname(path), to)));
  }
  return found;
}

function toJavaScript(path: string): string {
  return stripped(path).replaceAll(SOURCE_NAME, '"$1.js"');
}

/** Imports of types alone are gone. */
function stripped(path: string): string {
  return stripTypeScriptTypes(readFileSync(path, "utf8"));
}

/** This repository's manifest, for who installs it. */
function manifest(): object {
  const { scripts, devDependencies, files, ...kept } = JSON.parse(
    readFileSync("package.json", "utf8"),
  ) as Readonly<Record<string, unknown>>;
  assert.ok(scripts && devDependencies && files);
  return { ...kept, os: ["linux"], cpu: [process.arch], files: ["bin", "src", "docs", "dist"] };
}

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  assert.ok(basename(path) !== "");
  writeFileSync(join(folder, path), text, { mode });
}
