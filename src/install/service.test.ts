// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type FakeProgram, createFakeProcesses } from "../system/process.ts";
import { SERVICE } from "./layout.ts";
import { disableService } from "./service.ts";

describe("the agent's service", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "margay-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });
  const disable = async (systemctl: FakeProgram): Promise<void> => {
    const processes = createFakeProcesses({ systemctl });
    await disableService({ processes, signal: new AbortController().signal }, directory);
  };

  it("is stopped, and not started at boot any more", async () => {
    writeFileSync(join(directory, SERVICE), "");
    const calls: string[] = [];
    await disable((args) => {
      calls.push(args.join(" "));
      return {};
    });
    assert.deepEqual(calls, [`disable --now ${SERVICE}`]);
  });

  it("is no concern where it is not there", async () => {
    await disable(() => assert.fail("systemctl was run"));
  });

  it("is told of where it cannot be stopped", async () => {
    writeFileSync(join(directory, SERVICE), "");
    await assert.rejects(
      disable(() => ({ code: 1, stderr: "Access denied\n" })),
      /Cannot run "systemctl disable --now margay-agent.service": Access denied/,
    );
  });
});
