// SPDX-License-Identifier: Apache-2.0
// Links between pages lead to files that are there, and to headings in them.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const pages = globSync(["*.md", "docs/*.md"]).sort();
const LINK = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

for (const page of pages)
  test(`links of ${page} lead somewhere`, () => {
    const broken = Array.from(readFileSync(page, "utf8").matchAll(LINK), ([, to = "", heading]) => ({
      target: to === "" ? page : normalize(join(dirname(page), to)),
      heading,
    })).filter(({ target, heading }) => !leadsSomewhere(target, heading));
    assert.deepEqual(broken, []);
  });

function leadsSomewhere(target: string, heading: string | undefined): boolean {
  if (!existsSync(target)) return false;
  return heading === undefined || anchorsOf(readFileSync(target, "utf8")).includes(heading);
}

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): readonly string[] {
  return Array.from(markdown.matchAll(/^#+ (.*)$/gm), ([, text = ""]) =>
    text
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
