// SPDX-License-Identifier: Apache-2.0
// docs/resources.md has every field that resources may have, as the schemas have it, and no other.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PAGE, SECTIONS, parsePage } from "../scripts/docs/resource-page.ts";

const tables = parsePage(readFileSync(PAGE, "utf8"));

test("every kind has a section", () => {
  assert.deepEqual([...tables.keys()].sort(), [...SECTIONS.keys()].sort());
});

for (const [heading, fields] of SECTIONS)
  test(`the page has the fields of ${heading} (npm run docs brings them in), and says what each does`, () => {
    const rows = tables.get(heading) ?? [];
    assert.deepEqual(
      rows.map(({ path, type, default: value }) => ({ path, type, default: value })),
      fields,
    );
    const unexplained = rows.filter(({ text }) => text === "").map(({ path }) => path);
    assert.deepEqual(unexplained, []);
  });
