// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync } from "node:fs";
import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from "node:http";
import { createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { connectStore } from "./client.ts";
import { openEmbeddedStore } from "./embedded.ts";
import { type FollowState, follow } from "./follow.ts";
import { createStoreHandler } from "./server.ts";
import type { Change, Store } from "./store.ts";

test("what is not the datastore's is left to the server", async () => {
  await using place = makePlace();
  await place.serve();
  assert.deepEqual(await place.ask("GET", "/status"), { status: 418, body: "not mine" });
  assert.deepEqual(await place.ask("GET", "/datastore"), { status: 418, body: "not mine" });
});

test("malformed requests are refused, each with its reason", async () => {
  await using place = makePlace();
  await place.serve();
  const cases: readonly (readonly [method: string, path: string, body: string, message: RegExp])[] = [
    ["GET", "/datastore/get", "", /want POST/],
    ["POST", "/datastore/", "{}", /no such operation/],
    ["POST", "/datastore/toString", "{}", /no such operation/],
    ["POST", "/datastore/get", "", /no JSON/],
    ["POST", "/datastore/get", '{"key":', /no JSON/],
    ["POST", "/datastore/get", "{}", /key/],
    ["POST", "/datastore/get", '{"key":1}', /key/],
    ["POST", "/datastore/get", '{"key":"/a","more":1}', /more/],
    ["POST", "/datastore/get", '{"key":""}', /cannot be empty/],
    ["POST", "/datastore/put", '{"key":"/a"}', /value/],
    ["POST", "/datastore/put", '{"key":"/a","value":"1","expect":0}', /expect/],
    ["POST", "/datastore/delete", '{"key":"/a","expect":"present"}', /expect/],
    ["POST", "/datastore/watch", '{"prefix":"/a","after":0}', /after/],
    ["POST", "/datastore/put", `{"key":"/a","value":"${"x".repeat(7_000_000)}"}`, /the body has over/],
  ];
  for (const [method, path, body, message] of cases) {
    const answer = await place.ask(method, path, body);
    assert.equal(answer.status, 400, answer.body);
    assert.match(answer.body, /^\{"error":\{"code":"invalid","message":"Cannot /);
    assert.match(answer.body, message);
  }
  assert.deepEqual((await place.store.list("")).entries, []);
});

test("nobody at the socket is unavailable, and the error names it", async () => {
  await using place = makePlace();
  const unavailable = {
    code: "unavailable",
    message: new RegExp(`"${place.socketPath}": nobody listens there`),
  };
  await assert.rejects(place.client.get("/a"), unavailable);
  await assert.rejects(Array.fromAsync(place.client.watch("/a", { after: 1, signal: never() })), unavailable);
});

test("a server that goes away breaks calls and watches as unavailable; the same client goes on later", async () => {
  await using place = makePlace();
  const { client } = place;
  const server = await place.serve();
  await client.put("/a", "1");
  const { revision } = await client.list("");
  const watched = Array.fromAsync(client.watch("/", { after: revision, signal: never() }));
  const broken = assert.rejects(watched, { code: "unavailable" });
  await client.get("/a");
  await stop(server);
  await broken;
  await assert.rejects(client.get("/a"), { code: "unavailable" });
  await place.serve();
  assert.equal((await client.get("/a"))?.value, "1");
});

test("a write whose answer is lost is unavailable, done or not", async () => {
  await using place = makePlace();
  await place.serve((request, response) => {
    void place.handle(request, response);
    // The answer comes after the write, and finds no connection.
    response.writeHead = () => {
      request.socket.destroy();
      return response;
    };
  });
  await assert.rejects(place.client.put("/a", "1"), { code: "unavailable" });
  assert.equal((await place.store.get("/a"))?.value, "1");
});

test("answers that are no answers are unavailable", async () => {
  await using place = makePlace();
  const answers = [
    "",
    "{",
    "[]",
    '{"entry":{"key":"/a"}}',
    '{"entry":{"key":"/a","value":"","revision":-1}}',
  ];
  await place.serve((_, response) => response.end(answers.shift()));
  while (answers.length > 0) {
    await assert.rejects(place.client.get("/a"), { code: "unavailable", message: /cannot be read/ });
  }
});

test("a peer that speaks no HTTP is unavailable", async () => {
  await using place = makePlace();
  const server = createSocketServer((socket) => socket.end("SSH-2.0-OpenSSH\r\n"));
  await once(server.listen(place.socketPath), "listening");
  await assert.rejects(place.client.get("/a"), { code: "unavailable" });
  server.close();
});

test("a watch cut in the middle of a line gives whole batches only", async () => {
  await using place = makePlace();
  const change: Change = { kind: "delete", key: "/a", revision: 7 };
  const line = `${JSON.stringify({ changes: [change] })}\n`;
  await place.serve((_, response) => {
    response.write(line + line.slice(0, 20));
    response.write(line.slice(20) + line.slice(0, 30), () => response.destroy());
  });
  const seen: (readonly Change[])[] = [];
  await assert.rejects(
    async () => {
      for await (const batch of place.client.watch("/", { after: 1, signal: never() })) seen.push(batch);
    },
    { code: "unavailable" },
  );
  assert.deepEqual(seen, [[change], [change]]);
});

test("a server whose store is closed is unavailable, the client's handle is not closed", async () => {
  await using place = makePlace();
  await place.serve();
  await place.client.put("/a", "1");
  await place.store[Symbol.asyncDispose]();
  await assert.rejects(place.client.get("/a"), { code: "unavailable", message: /is closed/ });
});

test("a client that does not read holds up the watch, not the memory", { timeout: 60_000 }, async () => {
  await using place = makePlace();
  let pulled = 0;
  const handle = createStoreHandler(
    withWatch(place.store, async function* (prefix, options) {
      for await (const batch of place.store.watch(prefix, options)) {
        pulled += batch.length;
        yield batch;
      }
    }),
  );
  await place.serve((request, response) => void handle(request, response));
  const { revision } = await place.store.list("");
  const count = 100;
  await Promise.all(Array.from({ length: count }, (_, n) => place.store.put(`/${n}`, "x".repeat(500_000))));
  const stopReading = new AbortController();
  const changes = place.client.watch("/", { after: revision, signal: stopReading.signal });
  const watch = changes[Symbol.asyncIterator]();
  const pull = async (): Promise<number> => {
    const next = await watch.next();
    return next.done === true ? 0 : next.value.length;
  };
  let seen = await pull();
  // Turns enough for the server to push all there is, if it would.
  for (let n = 0; n < 20; n++) await place.client.get("/none");
  assert.ok(pulled < count / 2, `${pulled} of ${count} changes were pulled for a reader of ${seen}`);
  while (seen < count) seen += await pull();
  stopReading.abort();
  assert.equal(await pull(), 0);
});

test(
  "a follower rides out a restart of the server, and hears each change once",
  { timeout: 60_000 },
  async () => {
    await using place = makePlace();
    const server = await place.serve();
    const stopFollowing = new AbortController();
    const states: FollowState["kind"][] = [];
    const disconnected = Promise.withResolvers<undefined>();
    const events = follow(place.client, "/", {
      signal: stopFollowing.signal,
      onState: ({ kind }) => {
        if (states.at(-1) !== kind) states.push(kind);
        if (kind === "disconnected") disconnected.resolve(undefined);
      },
    });
    assert.deepEqual((await events.next()).value, { kind: "snapshot", entries: [], revision: 1 });
    const heard: string[] = [];
    const listening = (async () => {
      for await (const event of events) {
        if (event.kind === "changes") {
          for (const change of event.changes) heard.push(change.kind === "put" ? change.entry.value : "");
        }
        if (heard.at(-1) === "3") stopFollowing.abort();
      }
    })();
    await place.client.put("/a", "1");
    await stop(server);
    await disconnected.promise;
    await place.store.put("/a", "2");
    await place.serve();
    await place.client.put("/a", "3");
    await listening;
    assert.deepEqual(heard, ["1", "2", "3"]);
    assert.deepEqual(states, ["connected", "disconnected", "connected"]);
  },
);

function withWatch(store: Store, watch: Store["watch"]): Store {
  return {
    get: (...call) => store.get(...call),
    list: (...call) => store.list(...call),
    put: (...call) => store.put(...call),
    delete: (...call) => store.delete(...call),
    watch,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

interface Place extends AsyncDisposable {
  readonly store: Store;
  readonly client: Store;
  readonly handle: ReturnType<typeof createStoreHandler>;
  readonly socketPath: string;
  /** Starts a server on the socket; it ends with the place, if not before. */
  serve(answer?: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server>;
  ask(
    method: string,
    path: string,
    body?: string,
  ): Promise<{ readonly status: number; readonly body: string }>;
}

/** A store, a socket for it, and a client of that. */
function makePlace(): Place {
  const stack = new AsyncDisposableStack();
  const directory = stack.use(mkdtempDisposableSync(join(tmpdir(), "margay-store-")));
  const socketPath = join(directory.path, "agent.sock");
  const store = stack.use(openEmbeddedStore({ path: ":memory:" }));
  const client = stack.use(connectStore({ socketPath }));
  const handle = createStoreHandler(store);
  const answerOrPass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!(await handle(request, response))) response.writeHead(418).end("not mine");
  };
  return {
    store,
    client,
    handle,
    socketPath,
    async serve(answer = (request, response) => void answerOrPass(request, response)) {
      const server = createServer(answer);
      await once(server.listen(socketPath), "listening");
      stack.defer(() => stop(server));
      return server;
    },
    async ask(method, path, body = "") {
      const sent = request({ socketPath, method, path, agent: false }).end(body);
      const answered = Promise.withResolvers<IncomingMessage>();
      sent.on("response", answered.resolve).on("error", answered.reject);
      const response = await answered.promise;
      return { status: response.statusCode ?? 0, body: await text(response) };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function never(): AbortSignal {
  return new AbortController().signal;
}
