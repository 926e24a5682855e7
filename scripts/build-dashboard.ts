// SPDX-License-Identifier: Apache-2.0
// Makes what a browser loads of the dashboard, in dist/dashboard/: all of it, for the page asks nobody but the server that it came from. The same
// sources and packages give the same files.
//   node scripts/build-dashboard.ts
import { type Metafile, build } from "esbuild";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";

process.chdir(dirname(import.meta.dirname));
const SOURCES = "src/dashboard/page";
const TARGET = "dist/dashboard";

mkdirSync(dirname(TARGET), { recursive: true });
const unfinished = mkdtempSync(`${TARGET}.`);
try {
  const { metafile } = await build({
    entryPoints: { app: join(SOURCES, "main.tsx") },
    outdir: unfinished,
    bundle: true,
    minify: true,
    format: "esm",
    // Browsers of the last three years.
    target: ["es2022", "chrome111", "firefox111", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    loader: { ".woff2": "file" },
    assetNames: "fonts/[name]",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  for (const name of ["index.html", "icon.svg"]) cpSync(join(SOURCES, name), join(unfinished, name));
  writeFileSync(join(unfinished, "licences.txt"), licences(metafile));
  replaceFiles(unfinished, TARGET);
} finally {
  rmSync(unfinished, { recursive: true, force: true });
}

/** One by one: whoever reads meanwhile, or makes the same beside this, finds each of them whole. */
function replaceFiles(from: string, to: string): void {
  const files = filesIn(from);
  for (const file of files) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    renameSync(join(from, file), join(to, file));
  }
  for (const file of filesIn(to)) if (!files.includes(file)) rmSync(join(to, file), { force: true });
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** Those of the packages that are part of the files, as they ask for. */
function licences({ inputs }: Metafile): string {
  const folders = Object.keys(inputs).flatMap(
    (path) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(folder, "package.json"), "utf8"),
      ) as Readonly<Record<string, string>>;
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8").trim();
      return `${name ?? folder} ${version ?? ""} (${license ?? ""})\n\n${text}\n`;
    })
    .join(`\n${"-".repeat(78)}\n\n`);
}
