// SPDX-License-Identifier: Apache-2.0
// Completions as the program prints them. Bash's runs in a real bash; the other shells may not be there, so that theirs are only looked at.
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { systemProcesses } from "../../system/process.ts";
import { readVersion } from "../version.ts";

const MARGAY = fileURLToPath(new URL("../../../bin/margay", import.meta.url));

async function completion(shell: string): Promise<string> {
  const { code, stdout } = await systemProcesses.run(MARGAY, ["completion", shell]);
  assert.equal(code, 0);
  return stdout;
}

/** Sources $1, and completes the words after it, the last of which is being written. */
const COMPLETE = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _margay; printf '%s\\n' "\${COMPREPLY[@]}"`;

describe("the completion for bash", () => {
  let directory: string;
  let script: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "margay-completion-"));
    script = join(directory, "margay.bash");
    await writeFile(script, await completion("bash"));
    await symlink(MARGAY, join(directory, "margay"));
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  async function complete(...words: readonly string[]): Promise<readonly string[]> {
    const args = ["--norc", "-c", COMPLETE, "bash", script, ...words];
    const { stdout, stderr } = await systemProcesses.run("bash", args);
    assert.equal(stderr, "");
    return stdout.split("\n").filter((line) => line !== "");
  }

  const rows: readonly (readonly [words: readonly string[], wanted: readonly string[]])[] = [
    [["margay", "va"], ["validate"]],
    [
      ["margay", "node", "ch"],
      ["check", "checksystem"],
    ],
    [["margay", "lab", "--name", "up", "st"], ["status"]],
    [
      ["margay", "get", "ip"],
      ["ipamconfig", "ippool", "ipreservation"],
    ],
    [["margay", "get", "--out"], ["--output"]],
    [["margay", "get", "ippools", "-o", "ya"], ["yaml"]],
    [["margay", "get", "ippools", "--output", "=", "j"], ["json"]],
    [
      ["margay", "get", "--output", "="],
      ["table", "ps", "wide", "name", "yaml", "json"],
    ],
    [["margay", "get", "ippools", "--namespace", ""], []],
    [
      ["margay", "lab", "up", "--route-source", ""],
      ["bird", "datastore"],
    ],
    [["margay", "lab", "up", "--j"], ["--json"]],
    [["margay", "datastore", "e"], ["export"]],
    [
      ["margay", "completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["margay", "nothing", "x"], []],
  ];
  for (const [words, wanted] of rows) {
    it(`gives ${wanted.join(" ") || "nothing"} for ${words.join(" ")}`, async () => {
      assert.deepEqual(await complete(...words), wanted);
    });
  }

  it("gives files where an option takes one, with whatever is in their names", async () => {
    const name = "a $(touch x) b.yaml";
    await writeFile(join(directory, name), "");
    assert.deepEqual(await complete("margay", "apply", "-f", join(directory, "a ")), [join(directory, name)]);
  });

  it("gives names as they are told, and none that a shell could take for something else", async () => {
    const fake = join(directory, "fake");
    const names = String.raw`ippool/a\nippool/ab\nippool/$(touch x)\nippool/a b\nippool/a;b\nippool/b`;
    await writeFile(fake, `#!/bin/sh\n[ "$*" = "get ippool -o name --socket /s" ] && printf '${names}\n'\n`, {
      mode: 0o755,
    });
    assert.deepEqual(await complete(fake, "get", "ippool", "--socket", "/s", "a"), ["a", "ab"]);
  });

  it("works where a person presses the key", async () => {
    const shell = "bash --norc --noprofile -i";
    const input = `. ${script}\nmargay versi\t\nexit\n`;
    const env = { PATH: `${directory}:${process.env["PATH"] ?? ""}`, TERM: "dumb" };
    const { stdout } = await systemProcesses.run("script", ["-qec", shell, "/dev/null"], { input, env });
    assert.ok(stdout.split(/\r?\n/).includes(readVersion()), stdout);
  });
});

it("the completion for zsh is that for bash, with what zsh needs to run it", async () => {
  const [bash, zsh] = [await completion("bash"), await completion("zsh")];
  assert.ok(
    zsh.startsWith("autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"),
  );
  assert.ok(zsh.endsWith(bash));
});

it("the completion for fish names commands, options, choices and kinds", async () => {
  const fish = await completion("fish");
  for (const line of [
    "complete -c margay -n '__margay_at margay' -a 'validate' -d 'check resources in files, without a datastore'",
    "complete -c margay -n '__margay_at margay get' -s o -l output -x -a 'table ps wide name yaml json' -d 'how'",
    "complete -c margay -n '__margay_at margay get; and test (count (__margay_arguments)) -gt 0' -a '(__margay_names)'",
    "complete -c margay -n '__margay_at margay apply' -s f -l filename -r -F -d 'YAML or JSON, - for standard input; repeatable'",
  ])
    assert.ok(fish.split("\n").includes(line), line);
});
