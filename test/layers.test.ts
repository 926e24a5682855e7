// SPDX-License-Identifier: Apache-2.0
// The import table of ARCHITECTURE.md, enforced. An edge not listed here is a change of design.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const LAYERS: Readonly<Record<string, readonly string[]>> = {
  net: [],
  system: [],
  model: ["net"],
  datastore: ["net", "system", "model"],
  ipam: ["net", "system", "model", "datastore"],
  desired: ["net", "model"],
  dataplane: ["net", "system", "desired"],
  bird: ["net", "system", "model"],
  cni: ["net", "system", "model", "datastore", "ipam", "desired", "dataplane"],
  web: ["system", "model"],
  agent: [
    "net",
    "system",
    "model",
    "datastore",
    "ipam",
    "desired",
    "dataplane",
    "bird",
    "cni",
    "web",
    "trace",
    "observe",
  ],
  trace: ["net"],
  observe: ["net", "system", "model", "datastore", "dataplane", "trace"],
  lab: ["net", "system", "model", "datastore", "dataplane", "cni", "web", "agent"],
  dashboard: ["net", "web", "trace"],
  install: ["system", "model", "cni"],
  cli: [
    "net",
    "system",
    "model",
    "datastore",
    "ipam",
    "agent",
    "lab",
    "install",
    "trace",
    "observe",
    "doctor",
    "web",
  ],
  doctor: ["net", "system", "model", "datastore", "ipam", "desired", "dataplane", "bird", "agent"],
  bin: ["cli", "cni"],
};
/** Folders without effects: no Node API, no clock, no randomness, no environment. */
const PURE = ["net", "model", "desired", "trace"];
const IMPURE =
  /\bfrom "node:|\bprocess\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bcrypto\.|\bperformance\./;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

async function readSources(): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for await (const path of glob("src/**/*.{ts,tsx}")) {
    const text = readFileSync(path, "utf8");
    const relative = text.matchAll(/\b(?:from|import)\s*\(?"(\.[^"]+)"/g);
    sources.push({
      path,
      text,
      imports: Array.from(relative, ([, to = ""]) => normalize(join(dirname(path), to))),
    });
  }
  return sources.sort((a, b) => a.path.localeCompare(b.path));
}

function layerOf(path: string): string {
  return path.split("/")[1] ?? "";
}

const sources = await readSources();

test("every import follows the layer table", () => {
  const wrong = sources.flatMap(({ path, imports }) =>
    imports
      .filter((to) => layerOf(to) !== layerOf(path) && LAYERS[layerOf(path)]?.includes(layerOf(to)) !== true)
      .map((to) => `${path} imports ${to}`),
  );
  assert.deepEqual(wrong, []);
});

test("ARCHITECTURE.md shows the same table", () => {
  const rows = Array.from(
    readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^\| `(\w+)` +\| (P?) +\| .* \| ([a-z ]*?) *\|$/gm),
    ([, folder = "", pure, imports = ""]) => ({ folder, isPure: pure === "P", imports }),
  ).filter(({ folder }) => folder in LAYERS);
  const above: string[] = [];
  const shown = rows.map(({ folder, isPure, imports }) => {
    const allowed = imports === "all above" ? [...above] : imports.split(" ").filter((name) => name !== "");
    above.push(folder);
    return [folder, { isPure, imports: allowed.sort() }];
  });
  const enforced = Object.entries(LAYERS).map(([folder, imports]) => [
    folder,
    { isPure: PURE.includes(folder), imports: imports.toSorted() },
  ]);
  assert.deepEqual(Object.fromEntries(shown), Object.fromEntries(enforced));
});

test("pure layers touch nothing outside themselves", () => {
  const wrong = sources
    .filter(({ path }) => PURE.includes(layerOf(path)) && !path.endsWith(".test.ts"))
    .filter(({ text }) => IMPURE.test(text))
    .map(({ path }) => path);
  assert.deepEqual(wrong, []);
});

test("the page takes from the server its types, and what runs in a browser too", () => {
  const allowed = ["src/web/view/apply-change.ts", "src/web/view/read-events.ts"];
  const wrong = sources
    .filter(({ path }) => path.startsWith("src/dashboard/") && !path.endsWith(".test.ts"))
    .flatMap(({ path, text }) =>
      Array.from(text.matchAll(/^import (?!type )[^;]*?from "([^"]+)"/gm), ([, from = ""]) => ({
        path,
        from,
      })),
    )
    .filter(({ path, from }) => {
      const to = from.startsWith(".") ? normalize(join(dirname(path), from)) : from;
      return from.startsWith("node:") || (layerOf(to) === "web" && !allowed.includes(to));
    });
  assert.deepEqual(wrong, []);
});

test("no file imports itself through others", () => {
  const imports = new Map(sources.map((source) => [source.path, source.imports]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), `import cycle: ${[...trail, path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
});

test("every source names its licence in its first lines", () => {
  const wrong = sources.filter(
    ({ text }) => !text.slice(0, 120).includes("SPDX-License-Identifier: Apache-2.0"),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
});
