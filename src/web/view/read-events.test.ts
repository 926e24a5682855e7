// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ServerEvent, readEvents } from "./read-events.ts";

async function read(chunks: readonly string[]): Promise<readonly ServerEvent[]> {
  async function* stream(): AsyncGenerator<string> {
    for (const chunk of chunks) yield await Promise.resolve(chunk);
  }
  return await Array.fromAsync(readEvents(stream()));
}

const TEXT = 'event: view\ndata: {"a":1}\n\n: still here\n\nevent: change\ndata: {}\n\n';
const EVENTS = [
  { name: "view", data: '{"a":1}' },
  { name: "change", data: "{}" },
];

describe("a stream of events", () => {
  it("is read however it is cut", async () => {
    for (let at = 0; at <= TEXT.length; at++)
      assert.deepEqual(await read([TEXT.slice(0, at), TEXT.slice(at)]), EVENTS);
    assert.deepEqual(await read(Array.from(TEXT)), EVENTS);
  });

  it("has no event that is not whole, or of another form", async () => {
    assert.deepEqual(await read(["event: view\ndata: {}"]), []);
    assert.deepEqual(await read(["data: {}\n\n", "event: a b\ndata: x\n\n", "frob\n\n"]), []);
  });

  it("is given up where an event does not end", async () => {
    const megabyte = "x".repeat(1024 * 1024);
    await assert.rejects(read(Array.from({ length: 65 }, () => megabyte)), SyntaxError);
  });
});
