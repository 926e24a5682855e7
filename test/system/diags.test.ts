// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Lab, MARGAY, createLab, execute, succeed } from "./harness.ts";

const PASSWORD = "a 'password' {of} ours";

describe("margay node diags", () => {
  let lab: Lab;
  let directory: string;
  let state: string;
  before(async () => {
    lab = await createLab();
    directory = await mkdtemp(join(tmpdir(), "margay-diags-test-"));
    state = dirname(lab.agentSocket("host1"));
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  /** Collects on host1, and unpacks it; gives each file's text by its name. */
  async function collect(): Promise<ReadonlyMap<string, string>> {
    const output = join(directory, "bundle.tar.gz");
    const told = await lab.exec(
      "host1",
      MARGAY,
      "node",
      "diags",
      "-o",
      output,
      "--socket",
      lab.agentSocket("host1"),
    );
    assert.equal(told, `${output}\n`);
    assert.equal((await stat(output)).mode & 0o777, 0o600);
    const into = await mkdtemp(join(directory, "unpacked-"));
    await succeed("tar", ["-C", into, "-xzf", output]);
    assert.deepEqual(await readdir(into), ["bundle"]);
    const files = await readdir(join(into, "bundle"), { recursive: true, withFileTypes: true });
    const texts = new Map<string, string>();
    for (const file of files.filter((one) => one.isFile())) {
      const path = join(file.parentPath, file.name);
      texts.set(path.slice(join(into, "bundle").length + 1), await readFile(path, "utf8"));
    }
    return texts;
  }

  it("holds what the kernel, BIRD, the agent and the datastore say", async () => {
    const texts = await collect();
    const holds: readonly (readonly [file: string, text: RegExp])[] = [
      ["versions", /^margay \d/],
      ["system/uname", /^\$ uname -a\nLinux /],
      ["network/route-4", /^\$ ip -4 route show table all\n.*10\.1\./s],
      ["network/link", /cali[0-9a-f]{11}/],
      ["network/nftables", /^\$ nft list ruleset\n/],
      ["bird/protocols", /BGP state: +Established/],
      ["bird/routes", /10\.1\.\S+ +/],
      ["bird/bird.conf", /protocol bgp /],
      ["agent/status.json", /"nodeName": "host1"/],
      ["agent/datastore.yaml", /kind: IPPoolList/],
      ["log/bird.log", /./],
      ["log/agent.log", /"message":/],
    ];
    for (const [file, text] of holds) assert.match(texts.get(file) ?? assert.fail(`no ${file}`), text, file);
    // Not every machine has these two.
    const lost = Array.from(texts).filter(([, text]) => text.includes("Cannot be had"));
    const others = lost.filter(([, text]) => !/Cannot run "(wg|journalctl)"/.test(text));
    assert.deepEqual(others, []);
  });

  it("holds no password and no key, wherever they are", async () => {
    await writeFile(join(state, "wireguard.key"), "cHJpdmF0ZSBrZXkgb2Ygb3VycywgMzIgYnl0ZXMhISE=\n", {
      mode: 0o600,
    });
    await writeFile(join(state, "other.secret"), "another secret\n");
    await appendFile(join(state, "bird", "bird.conf"), `\n# password "${PASSWORD}";\n`);
    await appendFile(join(state, "bird", "bird.log"), `somebody wrote ${PASSWORD} here\n`);
    const all = Array.from(await collect(), ([file, text]) => `${file}\n${text}`).join("\n");
    for (const secret of [PASSWORD, "cHJpdmF0ZSBrZXkg", "another secret", "wireguard.key"])
      assert.ok(!all.includes(secret), secret);
    assert.ok(all.includes("somebody wrote (left out) here"));
    assert.match(all, /# password "\(left out\)";/);
  });

  it("says in its place what cannot be had", async () => {
    const output = join(directory, "bare.tar.gz");
    const { code } = await execute(MARGAY, [
      "node",
      "diags",
      "-o",
      output,
      "--socket",
      join(directory, "none.sock"),
    ]);
    assert.equal(code, 0);
    const text = await succeed("tar", ["-xzOf", output, "bare/agent/status.json"]);
    assert.match(text, /^Cannot be had: .*ENOENT/);
  });

  it("leaves no file where it cannot be written", async () => {
    const { code, stderr } = await execute(MARGAY, [
      "node",
      "diags",
      "-o",
      join(directory, "none", "x.tar.gz"),
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /ENOENT/);
  });
});

it("margay node checksystem tells of this machine, by its exit code too", async () => {
  const { code, stdout } = await execute(MARGAY, ["node", "checksystem", "--json", "--for", "bgp", "vxlan"]);
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean;
    checks: { name: string; ok: boolean; found: string }[];
  };
  assert.equal(code, ok ? 0 : 1);
  // What the other tests could not run without.
  for (const name of ["user", "kernel", "/proc/sys", "ip", "veth", "bird", "nft", "nftables", "vxlan"])
    assert.equal(checks.find((check) => check.name === name)?.ok, true, name);
  assert.equal(code, 0);
});
