// SPDX-License-Identifier: Apache-2.0
// Compiled sources that processes keep for each other.
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { MARGAY, succeed } from "./harness.ts";

const DIRECTORY = "/var/cache/margay/node";

test("what is compiled is kept where nobody but root may write", async () => {
  await succeed(MARGAY, ["version"]);
  assert.ok(existsSync(DIRECTORY));
  const [kept = assert.fail("nothing is kept")] = readdirSync(DIRECTORY);
  for (let path = `${DIRECTORY}/${kept}`; path !== "/"; path = dirname(path)) {
    const { uid, mode } = statSync(path);
    assert.deepEqual([path, uid, mode & 0o022], [path, 0, 0]);
  }
});
