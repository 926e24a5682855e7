// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeProcesses, ProcessError, type ProcessRunner, systemProcesses } from "./process.ts";

/** What every runner promises; `true`, `false`, `cat`, `sleep` and `printenv` are what they are everywhere. */
function describeContract(name: string, processes: ProcessRunner): void {
  describe(`${name} keeps the contract of a process runner`, { timeout: 30_000 }, () => {
    it("gives the exit code and the output", async () => {
      assert.deepEqual(await processes.run("true", []), { code: 0, stdout: "", stderr: "" });
      assert.deepEqual(await processes.run("false", []), { code: 1, stdout: "", stderr: "" });
    });

    it("hands over the input whole and takes the output whole", async () => {
      const input = "größe\n".repeat(100_000);
      assert.deepEqual(await processes.run("cat", [], { input }), { code: 0, stdout: input, stderr: "" });
    });

    it("survives a program that does not read its input", async () => {
      const { code } = await processes.run("true", [], { input: "x".repeat(1_000_000) });
      assert.equal(code, 0);
    });

    it("passes arguments and added variables on", async () => {
      const { stdout } = await processes.run("printenv", ["COLOUR"], { env: { COLOUR: "deep blue" } });
      assert.equal(stdout, "deep blue\n");
    });

    it("throws for a program that is not there", async () => {
      await assert.rejects(
        processes.run("no-such-program", []),
        (error) => error instanceof ProcessError && error.code === "unavailable",
      );
    });

    it("ends with the signal's reason as soon as it aborts", async () => {
      const controller = new AbortController();
      const reason = new Error("enough");
      const running = processes.run("sleep", ["1000"], { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(running, (error) => error === reason);
    });

    it("starts nothing once the signal has aborted", async () => {
      const reason = new Error("too late");
      const signal = AbortSignal.abort(reason);
      await assert.rejects(processes.run("true", [], { signal }), (error) => error === reason);
    });
  });
}

describeContract("the system", systemProcesses);
describeContract(
  "the fake",
  createFakeProcesses({
    true: () => ({}),
    false: () => ({ code: 1 }),
    cat: (_args, { input = "" }) => ({ stdout: input }),
    printenv: ([name = ""], { env = {} }) => ({ stdout: `${env[name] ?? ""}\n` }),
    sleep: () => new Promise(() => undefined),
  }),
);

describe("the system's processes", { timeout: 30_000 }, () => {
  it("keeps standard error apart", async () => {
    const result = await systemProcesses.run("sh", ["-c", "echo out; echo err >&2; exit 3"]);
    assert.deepEqual(result, { code: 3, stdout: "out\n", stderr: "err\n" });
  });

  it("throws for a program that someone killed", async () => {
    await assert.rejects(
      systemProcesses.run("sh", ["-c", "kill -KILL $$"]),
      (error) => error instanceof ProcessError && error.code === "killed",
    );
  });

  it("kills the program at the abort", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    // The program says by a signal that it runs. Whoever listens too late never hears it.
    process.once("SIGWINCH", () => {
      controller.abort(reason);
    });
    const running = systemProcesses.run("sh", ["-c", "kill -WINCH $PPID; exec sleep 1000"], controller);
    await assert.rejects(running, (error) => error === reason);
  });
});
