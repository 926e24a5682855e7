// SPDX-License-Identifier: Apache-2.0
// The server for others than root, spoken to octet by octet.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type Socket, connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { createRandom } from "../system/random.ts";
import { createLog } from "../system/log.ts";
import { createApiHandler } from "./api.ts";
import { SOURCES } from "./fixtures.ts";
import { fuzzRequest } from "./fuzzed-request.ts";
import { listenForTest } from "./listen-for-test.ts";
import { type ListenerLimits, createApiServer } from "./listener.ts";
import { Tally } from "./tally.ts";
import { createTokenCheck } from "./token.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const PORT = 9100;
const HOST = `Host: 127.0.0.1:${PORT}`;
const AUTHORIZATION = `Authorization: Bearer ${TOKEN}`;

describe("the API for others than root", () => {
  const stack = new AsyncDisposableStack();
  const lines: string[] = [];
  const answers = new Tally("code");
  let socketPath: string;
  before(async () => {
    socketPath = await serve();
  });
  after(async () => {
    await stack.disposeAsync();
    assert.deepEqual(lines, [], "nothing of it is worth a line in the log, least of all the token");
  });

  /** A server of its own, which ends with the tests. */
  async function serve(limits: Partial<ListenerLimits> = {}): Promise<string> {
    const isToken = createTokenCheck(TOKEN);
    const log = createLog({ level: "debug", write: (line) => lines.push(line) });
    const handler = createApiHandler(SOURCES, answers);
    return listenForTest(createApiServer({ handler, isToken, answers, log }, { port: PORT, limits }), stack);
  }

  /** All that comes until the server closes the connection; where it resets it, what came before. */
  async function readAll(socket: Socket): Promise<string> {
    let text = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => undefined);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.once("close", resolve);
    await promise;
    return text;
  }

  /** Sends octets, says that there are no more, and reads to the end. */
  async function exchange(octets: string | Uint8Array, path = socketPath): Promise<string> {
    const socket = connect({ path });
    const all = readAll(socket);
    socket.end(octets);
    return all;
  }

  function ask(headers: readonly string[], line = "GET /healthz HTTP/1.1"): Promise<string> {
    return exchange([line, ...headers, "", ""].join("\r\n"));
  }

  const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

  it("answers who knows the token, and says to browsers that it is nothing for them", async () => {
    const answer = await ask([HOST, AUTHORIZATION]);
    assert.equal(statusOf(answer), 200);
    assert.match(answer, /\r\n\r\n\{"ok":true,/);
    const headers = answer.toLowerCase();
    for (const header of ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"])
      assert.ok(headers.includes(header), answer);
    assert.ok(!headers.includes("access-control-"), "nobody is let in from elsewhere");
  });

  const refused: readonly (readonly [
    what: string,
    status: number,
    headers: readonly string[],
    line?: string,
  ])[] = [
    ["no host", 400, [AUTHORIZATION]],
    ["an empty host", 403, ["Host:", AUTHORIZATION]],
    ["another host", 403, ["Host: example.com", AUTHORIZATION]],
    ["another host by this port", 403, [`Host: example.com:${PORT}`, AUTHORIZATION]],
    ["a host that only begins like this one", 403, [`Host: 127.0.0.1:${PORT}.example.com`, AUTHORIZATION]],
    ["another port", 403, ["Host: 127.0.0.1:80", AUTHORIZATION]],
    ["two hosts", 403, [HOST, "Host: example.com", AUTHORIZATION]],
    ["a page's origin", 403, [HOST, AUTHORIZATION, "Origin: https://example.com"]],
    ["an origin without a name", 403, [HOST, AUTHORIZATION, "Origin: null"]],
    ["an origin of another port", 403, [HOST, AUTHORIZATION, "Origin: http://127.0.0.1:80"]],
    ["two origins", 403, [HOST, AUTHORIZATION, `Origin: http://127.0.0.1:${PORT}`, "Origin: http://a.b"]],
    ["no token", 401, [HOST]],
    ["another token", 401, [HOST, `Authorization: Bearer ${"0".repeat(32)}`]],
    ["another scheme", 401, [HOST, `Authorization: Basic ${TOKEN}`]],
    ["two tokens", 401, [HOST, AUTHORIZATION, "Authorization: Bearer x"]],
    ["the token in the path", 401, [HOST], `GET /healthz?token=${TOKEN} HTTP/1.1`],
    ["a POST", 405, [HOST, AUTHORIZATION], "POST /healthz HTTP/1.1"],
    ["a DELETE", 405, [HOST, AUTHORIZATION], "DELETE /healthz HTTP/1.1"],
    ["an OPTIONS without a token, as browsers ask", 401, [HOST], "OPTIONS /healthz HTTP/1.1"],
    ["a method that is none", 400, [HOST, AUTHORIZATION], "FROB /healthz HTTP/1.1"],
    ["a body", 413, [HOST, AUTHORIZATION, "Content-Length: 5"]],
    ["a body in pieces", 413, [HOST, AUTHORIZATION, "Transfer-Encoding: chunked"]],
    ["two lengths", 400, [HOST, AUTHORIZATION, "Content-Length: 0", "Content-Length: 5"]],
    ["length and pieces", 400, [HOST, AUTHORIZATION, "Content-Length: 5", "Transfer-Encoding: chunked"]],
    ["an unknown expectation", 417, [HOST, AUTHORIZATION, "Expect: frob"]],
    ["a header over two lines", 400, [HOST, AUTHORIZATION, "X-Folded: a", " b"]],
    ["an oversized header", 431, [HOST, AUTHORIZATION, `X-Long: ${"a".repeat(9000)}`]],
    ["an oversized path", 431, [HOST, AUTHORIZATION], `GET /${"a".repeat(9000)} HTTP/1.1`],
    ["the agent's own status", 404, [HOST, AUTHORIZATION], "GET /status HTTP/1.1"],
    ["the datastore", 405, [HOST, AUTHORIZATION], "POST /metrics HTTP/1.1"],
    ["the datastore's path", 404, [HOST, AUTHORIZATION], "GET /datastore/v1/list HTTP/1.1"],
    ["a way out of the folder", 404, [HOST, AUTHORIZATION], "GET /api/v1/../../etc/passwd HTTP/1.1"],
    ["a hidden way out", 404, [HOST, AUTHORIZATION], "GET /api/v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"],
    ["a path that begins twice", 404, [HOST, AUTHORIZATION], "GET //healthz HTTP/1.1"],
    ["a whole address", 404, [HOST, AUTHORIZATION], "GET http://example.com/healthz HTTP/1.1"],
  ];
  for (const [what, status, headers, line] of refused) {
    it(`refuses ${what} with ${status}`, async () => {
      const answer = await ask(headers, line);
      assert.equal(statusOf(answer), status, answer);
      assert.ok(!answer.includes('"ok"') && !answer.includes(TOKEN), answer);
    });
  }

  it("takes its own origin, and both of its names", async () => {
    for (const name of ["127.0.0.1", "localhost", "LOCALHOST"])
      assert.equal(
        statusOf(await ask([`Host: ${name}:${PORT}`, AUTHORIZATION, `Origin: http://localhost:${PORT}`])),
        200,
      );
  });

  it("counts what it refuses", async () => {
    const count = (): number =>
      answers.samples().find(({ labels }) => labels?.["code"] === "401")?.value ?? 0;
    const before = count();
    await ask([HOST]);
    assert.equal(count(), before + 1);
  });

  it("does not wait for a body that it does not want", async () => {
    const socket = connect({ path: socketPath });
    const all = readAll(socket);
    // Neither of the 2 GB comes, nor an end.
    socket.write(
      ["POST /healthz HTTP/1.1", HOST, AUTHORIZATION, "Content-Length: 2000000000", "", ""].join("\r\n"),
    );
    assert.equal(statusOf(await all), 413);
  });

  it("cuts off who does not come to an end, however steadily it goes on", async () => {
    const path = await serve({ requestMs: 100 });
    const socket = connect({ path });
    const all = readAll(socket);
    socket.write("GET /healthz HTTP/1.1\r\n");
    using drip = setInterval(() => {
      if (socket.writable) socket.write("X-Slow: 1\r\n");
    }, 10);
    const answer = await all;
    // What the server says last is lost where a write meets the closed connection first.
    assert.match(answer, /^(HTTP\/1\.1 408 |$)/);
  });

  it("cuts off who says nothing at all, and who has nothing more to ask", async () => {
    const silent = connect({ path: await serve({ requestMs: 100 }) });
    assert.equal(statusOf(await readAll(silent)), 408);
    const idle = connect({ path: await serve({ idleMs: 50 }) });
    const all = readAll(idle);
    idle.write(["GET /healthz HTTP/1.1", HOST, AUTHORIZATION, "", ""].join("\r\n"));
    assert.equal(statusOf(await all), 200);
  });

  it("has no more clients than it can do with, and others again once they have gone", async () => {
    const path = await serve({ connections: 2 });
    const crowd = [connect({ path }), connect({ path })];
    const ends = crowd.map(readAll);
    for (const socket of crowd) if (socket.connecting) await once(socket, "connect");
    const good = ["GET /healthz HTTP/1.1", HOST, AUTHORIZATION, "", ""].join("\r\n");
    assert.equal(await exchange(good, path), "");
    for (const socket of crowd) socket.end();
    await Promise.all(ends);
    // The server may hear of the end of a connection later than its client.
    let answer = "";
    while (answer === "") answer = await exchange(good, path);
    assert.equal(statusOf(answer), 200);
  });

  it("survives 10,000 requests that are none", async () => {
    const seed = Number(process.env["MARGAY_SEED"] ?? 20_261_128);
    const random = createRandom(seed);
    const requests = Array.from({ length: 10_000 }, () => fuzzRequest(random, [HOST, AUTHORIZATION]));
    const statuses = new Map<number, number>();
    const work = async (): Promise<void> => {
      for (let request = requests.pop(); request !== undefined; request = requests.pop()) {
        const answer = await exchange(request);
        const status = answer === "" ? 0 : statusOf(answer);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        const isAllowed = status !== 200 || request.includes(TOKEN);
        assert.ok(
          status < 500 && isAllowed,
          `seed ${seed}: ${JSON.stringify(request.toString("latin1"))}: ${answer}`,
        );
      }
    };
    await Promise.all(Array.from({ length: 16 }, work));
    for (const status of [200, 400, 401, 403, 404, 405, 413, 431])
      assert.ok((statuses.get(status) ?? 0) > 10, `too few with ${status}: ${JSON.stringify([...statuses])}`);
    assert.equal(statusOf(await ask([HOST, AUTHORIZATION])), 200);
  });
});
