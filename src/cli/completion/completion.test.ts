// SPDX-License-Identifier: Apache-2.0
// Completions as the program prints them, in the shells that they are for.
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { systemProcesses } from "../../system/process.ts";
import { readVersion } from "../../system/version.ts";

const MARGAY = fileURLToPath(new URL("../../../bin/margay", import.meta.url));

async function completion(shell: string): Promise<string> {
  const { code, stdout } = await systemProcesses.run(MARGAY, ["completion", shell]);
  assert.equal(code, 0);
  return stdout;
}

interface OwnDirectory extends AsyncDisposable {
  readonly directory: string;
}

/** A directory with the program in it. */
async function createDirectory(): Promise<OwnDirectory> {
  const directory = await mkdtemp(join(tmpdir(), "margay-completion-"));
  await symlink(MARGAY, join(directory, "margay"));
  return {
    directory,
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Sources $1, and completes the words after it, the last of which is being written. */
const COMPLETE = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _margay; printf '%s\\n' "\${COMPREPLY[@]}"`;

describe("the completion for bash", () => {
  let own: OwnDirectory;
  let directory: string;
  let script: string;
  before(async () => {
    own = await createDirectory();
    directory = own.directory;
    script = join(directory, "margay.bash");
    await writeFile(script, await completion("bash"));
  });
  after(async () => {
    await own[Symbol.asyncDispose]();
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

describe("the completion for zsh", () => {
  it("works where a person presses the key", async () => {
    await using own = await createDirectory();
    const script = join(own.directory, "margay.zsh");
    await writeFile(script, await completion("zsh"));
    const input = `source ${script}\nmargay versi\t\nexit\n`;
    // It keeps what it has compiled where the home is.
    const env = {
      PATH: `${own.directory}:${process.env["PATH"] ?? ""}`,
      TERM: "dumb",
      HOME: own.directory,
      ZDOTDIR: own.directory,
    };
    const { stdout } = await systemProcesses.run("script", ["-qec", "zsh -f -i", "/dev/null"], {
      input,
      env,
    });
    assert.ok(stdout.split(/\r*\n/).includes(readVersion()), stdout);
  });
});

describe("the completion for fish", () => {
  let own: OwnDirectory;
  let script: string;
  before(async () => {
    own = await createDirectory();
    script = join(own.directory, "margay.fish");
    await writeFile(script, await completion("fish"));
  });
  after(async () => {
    await own[Symbol.asyncDispose]();
  });

  /** Candidates without what is said of them. */
  async function complete(line: string): Promise<readonly string[]> {
    const command = 'source $argv[1]; complete -C "$argv[2]"';
    const env = { PATH: `${own.directory}:${process.env["PATH"] ?? ""}`, HOME: own.directory };
    const args = ["--no-config", "-c", command, script, line];
    const { stdout, stderr } = await systemProcesses.run("fish", args, { env });
    assert.equal(stderr, "");
    return stdout.split("\n").flatMap((text) => (text === "" ? [] : [text.split("\t")[0] ?? ""]));
  }

  const rows: readonly (readonly [line: string, wanted: readonly string[]])[] = [
    ["margay va", ["validate"]],
    ["margay node ch", ["check", "checksystem"]],
    ["margay lab --name up st", ["status"]],
    ["margay get ip", ["ipamconfig", "ippool", "ipreservation"]],
    ["margay get --out", ["--output"]],
    ["margay get ippools -o ya", ["yaml"]],
    ["margay lab up --route-source ", ["bird", "datastore"]],
    ["margay completion ", ["bash", "fish", "zsh"]],
    ["margay nothing x", []],
  ];
  for (const [line, wanted] of rows) {
    it(`gives ${wanted.join(" ") || "nothing"} for ${line}`, async () => {
      assert.deepEqual(await complete(line), wanted);
    });
  }

  it("gives files where an option takes one", async () => {
    const name = join(own.directory, "pool.yaml");
    await writeFile(name, "");
    assert.deepEqual(await complete(`margay apply -f ${own.directory}/po`), [name]);
  });
});
