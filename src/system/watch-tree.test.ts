// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Conditions } from "./conditions.ts";
import { watchTree } from "./watch-tree.ts";

interface Trial extends Disposable {
  readonly directory: string;
  /** Does something, and waits until that is told. */
  tells(change: () => void): Promise<void>;
}

function createTrial(signal: AbortSignal): Trial {
  const root = mkdtempSync(join(tmpdir(), "margay-watch-"));
  const directory = join(root, "a", "b");
  const changed = new Conditions();
  let count = 0;
  const watching = watchTree(directory, () => {
    count++;
    changed.check();
  });
  return {
    directory,
    async tells(change) {
      const before = count;
      change();
      await changed.until(() => count > before, signal);
    },
    [Symbol.dispose]() {
      watching.close();
      rmSync(root, { recursive: true });
    },
  };
}

describe("watching a directory", { timeout: 30_000 }, () => {
  it("tells when it comes, of what is in it, when it goes, and when it comes again", async ({ signal }) => {
    using trial = createTrial(signal);
    const { directory } = trial;
    const file = join(directory, "name", "key");
    for (let round = 0; round < 2; round++) {
      await trial.tells(() => mkdirSync(directory, { recursive: true }));
      await trial.tells(() => {
        mkdirSync(join(directory, "name"));
      });
      await trial.tells(() => {
        writeFileSync(file, `${round}`);
      });
      await trial.tells(() => {
        rmSync(directory, { recursive: true });
      });
    }
  });

  it("tells of nothing beside it", async ({ signal }) => {
    using trial = createTrial(signal);
    const { directory } = trial;
    const isTold = trial.tells(() => {
      writeFileSync(join(directory, "..", "..", "beside"), "");
    });
    let isEarly = false;
    void isTold.then(() => (isEarly = true));
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.equal(isEarly, false);
    mkdirSync(directory, { recursive: true });
    await isTold;
  });
});
