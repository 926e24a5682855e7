// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { chmod, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createTokenCheck, readToken } from "./token.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";

describe("a token", () => {
  const isToken = createTokenCheck(TOKEN);

  it("is taken as RFC 6750 has it", () => {
    assert.ok(isToken(`Bearer ${TOKEN}`));
    assert.ok(isToken(`bearer  ${TOKEN}`));
  });

  const others = [
    undefined,
    "",
    TOKEN,
    "Bearer",
    "Bearer ",
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${TOKEN}0`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${TOKEN} `,
    `Bearer ${TOKEN} ${TOKEN}`,
    `Basic ${TOKEN}`,
    `Bearer ${"0".repeat(100_000)}`,
  ];
  for (const authorization of others) {
    it(`is not ${(authorization ?? "absent").slice(0, 60)}`, () => {
      assert.equal(isToken(authorization), false);
    });
  }
});

describe("a token's file", () => {
  const stack = new AsyncDisposableStack();
  let path: string;
  before(async () => {
    path = join(stack.use(await mkdtempDisposable(join(tmpdir(), "margay-token-"))).path, "token");
  });
  after(() => stack.disposeAsync());
  const read = async (text: string, mode = 0o600): ReturnType<typeof readToken> => {
    await writeFile(path, text);
    await chmod(path, mode);
    return readToken(path);
  };

  it("may end with a line's end", async () => {
    assert.ok((await read(`${TOKEN}\n`))(`Bearer ${TOKEN}`));
  });

  for (const mode of [0o640, 0o604, 0o666, 0o610])
    it(`is refused with mode ${mode.toString(8)}`, async () => {
      const message = `Cannot use "${path}": others may access it (mode ${mode.toString(8)})`;
      await assert.rejects(read(TOKEN, mode), { message });
    });

  for (const text of [
    "",
    "short",
    "with spaces in it, and long enough for one",
    `${TOKEN}\n${TOKEN}`,
    "é".repeat(40),
  ])
    it(`is refused with ${JSON.stringify(text)}, and does not tell what is in it`, async () => {
      const message = `Cannot use "${path}": want a token of 32 to 512 letters, digits and "-._~+/"`;
      await assert.rejects(read(text), { message });
    });
});
