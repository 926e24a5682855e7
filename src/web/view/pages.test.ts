// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, mkdtempDisposable, rm, symlink, writeFile } from "node:fs/promises";
import { type IncomingMessage, createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { text as readText } from "node:stream/consumers";
import { listenForTest } from "../listen-for-test.ts";
import { Tally } from "../tally.ts";
import { createPages } from "./pages.ts";

describe("the dashboard's files", () => {
  const stack = new AsyncDisposableStack();
  let directory: string;
  let socketPath: string;
  before(async () => {
    const temporary = stack.use(await mkdtempDisposable(join(tmpdir(), "margay-pages-")));
    directory = join(temporary.path, "pages");
    const pages = createPages({ directory, answers: new Tally("code") });
    const server = createServer((request, response) => {
      if (!pages(request, response)) response.writeHead(404).end();
    });
    socketPath = await listenForTest(server, stack);
    await writeFile(join(temporary.path, "secret.txt"), "secret");
  });
  after(async () => {
    await stack.disposeAsync();
  });
  const ask = async (
    path: string,
    { method = "GET", headers = {} } = {},
  ): Promise<{ status: number | undefined; headers: IncomingMessage["headers"]; body: string }> => {
    const question = request({ socketPath, path, method, headers, agent: false }).end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await readText(response) };
  };

  it("say how to build them, as long as they are not built", async () => {
    const { status, headers, body } = await ask("/");
    assert.deepEqual([status, headers["content-type"]], [503, "text/plain; charset=utf-8"]);
    assert.match(body, /npm run build:dashboard/);
    assert.equal((await ask("/app.js")).status, 404);
  });

  it("are served by their names, each with its type and a policy that lets in nothing from elsewhere", async () => {
    await mkdir(join(directory, "assets"), { recursive: true });
    await writeFile(join(directory, "index.html"), "<p>page</p>");
    await writeFile(join(directory, "assets", "app.js"), "1;");
    await writeFile(join(directory, ".hidden"), "secret");
    await writeFile(join(directory, "with space.txt"), "secret");
    await symlink(join(directory, "..", "secret.txt"), join(directory, "link.txt"));
    await symlink("/etc", join(directory, "etc"));
    for (const [path, type, body] of [
      ["/", "text/html; charset=utf-8", "<p>page</p>"],
      ["/index.html", "text/html; charset=utf-8", "<p>page</p>"],
      ["/assets/app.js", "text/javascript; charset=utf-8", "1;"],
    ] as const) {
      const answer = await ask(path);
      assert.deepEqual([answer.status, answer.headers["content-type"], answer.body], [200, type, body]);
      assert.match(String(answer.headers["content-security-policy"]), /^default-src 'self'; /);
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
    }
  });

  it("are not sent again to who has them", async () => {
    const { etag = "" } = (await ask("/")).headers;
    const answer = await ask("/", { headers: { "if-none-match": etag } });
    assert.deepEqual([answer.status, answer.body], [304, ""]);
    assert.equal((await ask("/", { headers: { "if-none-match": '"other"' } })).status, 200);
  });

  it("are read, and nothing else can be done with them", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await ask("/", { method });
      assert.deepEqual([status, headers.allow], [405, "GET, HEAD"]);
    }
    const { status, headers, body } = await ask("/", { method: "HEAD" });
    assert.deepEqual([status, headers["content-length"], body], [200, "11", ""]);
  });

  const others = [
    "/..",
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/assets/%2e%2e/index.html",
    "/assets",
    "/assets/",
    "//index.html",
    "/index.html/",
    "/index.html?x=1",
    "/?x",
    "/INDEX.html",
    "/.hidden",
    "/with space.txt".replace(" ", "%20"),
    "/link.txt",
    "/etc/passwd",
    "/index.html%00.js",
    "/__proto__",
    "/constructor",
    "http://margay/index.html",
  ];
  for (const path of others)
    it(`are not found by ${path}`, async () => {
      assert.equal((await ask(path)).status, 404);
    });

  it("are kept as they were read first", async () => {
    await rm(directory, { recursive: true });
    assert.equal((await ask("/assets/app.js")).body, "1;");
  });
});
