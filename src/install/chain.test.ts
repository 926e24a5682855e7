// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SUPPORTED_VERSIONS } from "../cni/version.ts";
import { createFakeProcesses } from "../system/process.ts";
import { type Chain, findChain } from "./chain.ts";

const LATEST = SUPPORTED_VERSIONS.at(-1) ?? assert.fail();

describe("the chain of plugins", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "margay-"));
    for (const folder of ["opt/bin", "usr/lib/cni"]) mkdirSync(join(root, folder), { recursive: true });
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  /** Plugins by their paths on the node, and what they say of their versions. */
  const find = (plugins: Readonly<Record<string, string>>, names: readonly string[]): Promise<Chain> => {
    const program = (text: string) => () => ({ stdout: text });
    const programs = Object.entries(plugins).map(([path, text]) => {
      writeFileSync(join(root, path), "");
      return [join(root, path), program(text)] as const;
    });
    const processes = createFakeProcesses(Object.fromEntries(programs));
    const { signal } = new AbortController();
    return findChain(names, { root, binDirectory: "/opt/bin", processes, signal });
  };
  const speaks = (...supportedVersions: readonly string[]): string =>
    JSON.stringify({ cniVersion: "1.0.0", supportedVersions });

  it("may be empty", async () => {
    assert.deepEqual(await find({}, []), { names: [], cniVersion: LATEST, links: [] });
  });

  it("speaks the latest version that all know, whatever their order", async () => {
    const plugins = { "opt/bin/a": speaks("1.0.0", "0.4.0", LATEST), "opt/bin/b": speaks("0.3.1", "0.4.0") };
    assert.equal((await find(plugins, ["a"])).cniVersion, LATEST);
    assert.equal((await find(plugins, ["a", "b"])).cniVersion, "0.4.0");
  });

  it("links to Debian's plugins where the runtime has none of its own", async () => {
    const plugins = {
      "usr/lib/cni/a": speaks("0.4.0", "1.0.0"),
      "usr/lib/cni/b": speaks("1.0.0"),
      "opt/bin/b": speaks("0.4.0"),
    };
    const links = [{ path: "/opt/bin/a", target: "/usr/lib/cni/a" }];
    assert.deepEqual(await find(plugins, ["a", "b"]), { names: ["a", "b"], cniVersion: "0.4.0", links });
    symlinkSync("/usr/lib/cni/a", join(root, "opt/bin/a"));
    assert.deepEqual((await find({ "usr/lib/cni/a": speaks("1.0.0") }, ["a"])).links, links);
  });

  const refusals: readonly (readonly [
    what: string,
    plugins: Readonly<Record<string, string>>,
    message: RegExp,
  ])[] = [
    [
      "a plugin that is nowhere",
      {},
      /Cannot chain "a": it is neither in "\/opt\/bin" nor in "\/usr\/lib\/cni"/,
    ],
    ["a plugin of another age", { "opt/bin/a": speaks("0.1.0-beta") }, /no version of CNI/],
    ["what is no plugin", { "opt/bin/a": "hello" }, /Cannot ask the plugin ".*\/a" for its versions: hello/],
  ];
  for (const [what, plugins, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(find(plugins, ["a"]), message);
    });
  }
});
