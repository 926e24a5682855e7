// SPDX-License-Identifier: Apache-2.0
// docs/agent.md says of each field that lines of the log may have what it is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LOG_FIELDS } from "../src/system/log.ts";

test("every field of the log is described, and no other", () => {
  const [, section = ""] = /^## Logs$(.*?)^## /ms.exec(readFileSync("docs/agent.md", "utf8")) ?? [];
  const described = Array.from(section.matchAll(/^\| `(\w+)` +\| \S/gm), ([, name]) => name);
  assert.deepEqual(described, ["time", "level", "scope", "message", ...LOG_FIELDS]);
});
