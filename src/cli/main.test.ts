// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type RunResult, systemProcesses } from "../system/process.ts";
import { readVersion } from "../system/version.ts";

const MARGAY = fileURLToPath(new URL("../../bin/margay", import.meta.url));

function margay(...args: readonly string[]): Promise<RunResult> {
  return systemProcesses.run(MARGAY, args);
}

describe("margay", () => {
  it("prints its version", async () => {
    assert.deepEqual(await margay("version"), { code: 0, stdout: `${readVersion()}\n`, stderr: "" });
    assert.deepEqual(JSON.parse((await margay("version", "--json")).stdout), { version: readVersion() });
  });

  it("explains itself", async () => {
    const { code, stdout } = await margay("lab", "--help");
    assert.equal(code, 0);
    for (const command of ["up", "down", "status", "exec", "ip", "check", "add", "rm", "run"])
      assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
  });

  it("runs from any folder, through a symbolic link", async () => {
    const directory = await mkdtemp(join(tmpdir(), "margay-"));
    try {
      const link = join(directory, "margay");
      await symlink(MARGAY, link);
      const { stdout } = await systemProcesses.run("sh", ["-c", 'cd / && "$0" version', link]);
      assert.equal(stdout, `${readVersion()}\n`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["an unknown command", ["lba"], /^margay: unknown command 'lba'/],
    ["an unknown option", ["lab", "up", "--rout-source", "bird"], /^margay: unknown option '--rout-source'/],
    ["an unknown route source", ["lab", "up", "--route-source", "ospf"], /^margay: .*'ospf' is invalid/],
    ["an agent without configuration", ["agent"], /^margay: required option '--config <file>'/],
    ["a container without a host", ["lab", "add", "x"], /^margay: required option '--host <host>'/],
    ["a pool in three parts", ["ipam", "split", "3", "--name", "a"], /want a power of two, 2 to 1024/],
    [
      "a split of no pool",
      ["ipam", "split", "2"],
      /^margay: Cannot split: want the pool, by --cidr or --name/,
    ],
    [
      "a pool named twice",
      ["ipam", "split", "2", "--name", "a", "--cidr", "10.0.0.0/8"],
      /cannot be used with/,
    ],
    [
      "no prefix",
      ["ipam", "split", "2", "--cidr", "10.0.0.1/8"],
      /^margay: Cannot split: .*host bits are set/,
    ],
    ["two views at once", ["ipam", "show", "--show-blocks", "--show-configuration"], /cannot be used with/],
    ["nothing to execute", ["lab", "exec", "a"], /^margay: missing required argument 'command'/],
  ];
  for (const [title, args, message] of wrong) {
    it(`ends with code 2 for ${title}`, async () => {
      const { code, stdout, stderr } = await margay(...args);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.match(stderr, message);
    });
  }

  it("ends with code 1 and one line for what it cannot do", async () => {
    const { code, stdout, stderr } = await margay("lab", "status", "--name", "Not-A-Name");
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^margay: Cannot use lab name "Not-A-Name": [^\n]+\n$/);
  });
});
