// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, createServer, request } from "node:http";
import { after, before, describe, it } from "node:test";
import { Conditions } from "../system/conditions.ts";
import { createEventStreams } from "./events.ts";
import { listenForTest } from "./listen-for-test.ts";
import type { Answer } from "./sources.ts";

const WELL: Answer<"readiness"> = { ok: true, parts: [], degraded: [] };

describe("the stream of events", () => {
  const conditions = new Conditions();
  let state = WELL;
  const become = (next: Answer<"readiness">): void => {
    state = next;
    conditions.check();
  };
  const streams = createEventStreams(
    { read: () => state, until: (isMet, signal) => conditions.until(isMet, signal) },
    { heartbeatMs: 20, most: 2 },
  );
  const server = createServer((_request, response) => {
    if (!streams.begin(response)) response.writeHead(503).end();
  });
  const stack = new AsyncDisposableStack();
  let socketPath: string;
  before(async () => {
    socketPath = await listenForTest(server, stack);
  });
  after(async () => {
    await stack.disposeAsync();
  });
  const open = async (): Promise<IncomingMessage> => {
    const question = request({ socketPath, agent: false }).end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    return response.setEncoding("utf8");
  };
  it("tells what is so, each change of it, and between them that it is alive", async () => {
    const response = await open();
    assert.equal(response.headers["content-type"], "text/event-stream");
    // It keeps what comes while nobody waits.
    const chunks = response[Symbol.asyncIterator]();
    const read = async (text: string): Promise<string> => {
      let all = "";
      while (!all.includes(text)) all += String((await chunks.next()).value);
      return all;
    };
    assert.ok((await read("\n\n")).startsWith(`event: readiness\ndata: ${JSON.stringify(WELL)}\n\n`));
    await read(": still here\n\n");
    become({ ...WELL, ok: false });
    await read('data: {"ok":false');
    become(WELL);
    await read('data: {"ok":true');
    response.destroy();
  });

  it("is for a few at once, and for others when those have gone", async () => {
    const [first, second] = [await open(), await open()];
    assert.equal((await open()).statusCode, 503);
    first.destroy();
    // The server hears of it a little later.
    let next = await open();
    while (next.statusCode === 503) next = await open();
    assert.equal(next.statusCode, 200);
    second.destroy();
    next.destroy();
  });
});
