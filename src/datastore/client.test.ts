// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectStore } from "./client.ts";
import { describeStoreContract } from "./contract.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { createStoreHandler } from "./server.ts";

describeStoreContract("a store shared over a socket", async () => {
  const HISTORY = 500;
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await mkdtempDisposable(join(tmpdir(), "margay-store-")));
  const socketPath = join(directory.path, "agent.sock");
  const embedded = stack.use(openEmbeddedStore({ path: ":memory:", history: HISTORY }));
  const handle = createStoreHandler(embedded);
  const server = createServer((request, response) => void handle(request, response));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(socketPath), "listening");
  const store = stack.use(connectStore({ socketPath }));
  const held = stack.move();
  return {
    store,
    prefix: "/contract/",
    async compact() {
      for (let n = 0; n < HISTORY; n++) await embedded.put("/filler", String(n));
    },
    async reopen() {
      await store[Symbol.asyncDispose]();
      return held.use(connectStore({ socketPath }));
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
});
