// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { silentLog } from "../system/log.ts";
import { type AgentServices, serveAgent } from "./server.ts";

const REFUSED = (): never => assert.fail("nobody asked for it");
const SERVICES: AgentServices = {
  datastore: () => Promise.resolve(false),
  cni: { handle: REFUSED, catchUp: REFUSED, [Symbol.asyncDispose]: () => Promise.resolve() },
  rotateKeys: REFUSED,
  status: () => ({ ready: true }),
  api: () => false,
  check: REFUSED,
  differences: REFUSED,
  ready: REFUSED,
  settled: REFUSED,
};

describe("the agent's socket", () => {
  it("closes no idle connection, since the next call may be on its way already", async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), "margay-server-"));
    const socketPath = join(directory.path, "agent.sock");
    await using _server = await serveAgent(socketPath, SERVICES, silentLog);
    const agent = new Agent({ keepAlive: true });
    const question = request({ socketPath, path: "/status", agent }).end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    response.resume();
    agent.destroy();
    assert.equal(response.headers.connection, "keep-alive");
    // RFC 2068, section 19.7.1.1: what a server that means to close it says.
    assert.equal(response.headers["keep-alive"], undefined);
  });
});
