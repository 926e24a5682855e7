// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { publicKeyOf } from "../dataplane/wireguard/key-pair.ts";
import { createWireguardKeyFile } from "./wireguard-key-file.ts";

describe("the file of a WireGuard key", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "margay-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });
  const path = (): string => join(directory, "wireguard.key");

  it("is made where it is not there, for its owner alone, and kept", async () => {
    const file = createWireguardKeyFile(directory);
    const publicKey = await file.ensure();
    assert.equal((await stat(path())).mode & 0o7777, 0o600);
    assert.match(await readFile(path(), "utf8"), /^[A-Za-z0-9+/]{43}=\n$/);
    assert.equal(await file.ensure(), publicKey);
    assert.equal(publicKeyOf(await createWireguardKeyFile(directory).privateKey(publicKey)), publicKey);
    assert.deepEqual(await readdir(directory), ["wireguard.key"]);
  });

  it("is made together with its folder", async () => {
    const file = createWireguardKeyFile(join(directory, "state"));
    const publicKey = await file.ensure();
    assert.equal(publicKeyOf(await file.privateKey(publicKey)), publicKey);
  });

  it("gets another key in its place, whatever an interrupted change has left", async () => {
    const file = createWireguardKeyFile(directory);
    const before = await file.ensure();
    await writeFile(`${path()}.new`, "half", { mode: 0o644 });
    const after = await file.replace();
    assert.notEqual(after, before);
    assert.equal(await file.ensure(), after);
    await assert.rejects(file.privateKey(before), /it is not the one to/);
    assert.equal((await stat(path())).mode & 0o7777, 0o600);
    assert.deepEqual(await readdir(directory), ["wireguard.key"]);
  });

  const faults: readonly (readonly [string, RegExp, () => Promise<void>])[] = [
    ["can be read by others", /its mode is 644/, () => chmod(path(), 0o644)],
    ["can be written by its group", /its mode is 620/, () => chmod(path(), 0o620)],
    ["is empty", /want 32 octets in base64$/, () => writeFile(path(), "")],
    ["holds something else", /want 32 octets in base64$/, () => writeFile(path(), "c2VjcmV0IHNlY3JldA==\n")],
    [
      "is a folder",
      /it is no file/,
      async () => {
        await rm(path());
        await mkdir(path(), { mode: 0o700 });
      },
    ],
    [
      "is a link to another",
      /ELOOP/,
      async () => {
        await rename(path(), `${path()}2`);
        await symlink(`${path()}2`, path());
      },
    ],
  ];
  for (const [what, message, damage] of faults) {
    it(`is refused, and stays as it is, if it ${what}`, async () => {
      const file = createWireguardKeyFile(directory);
      const publicKey = await file.ensure();
      await damage();
      for (const attempt of [() => file.ensure(), () => file.privateKey(publicKey)])
        await assert.rejects(attempt, (error) => {
          assert.ok(error instanceof Error);
          assert.match(error.message, /^Cannot use WireGuard key ".*\/wireguard\.key": /);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /c2Vj/);
          return true;
        });
    });
  }
});
