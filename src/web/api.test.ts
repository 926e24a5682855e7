// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, createServer, request } from "node:http";
import { after, before, describe, it } from "node:test";
import { text as readText } from "node:stream/consumers";
import { ANSWERS } from "./answers.ts";
import { createApiHandler } from "./api.ts";
import { SOURCES } from "./fixtures.ts";
import { listenForTest } from "./listen-for-test.ts";
import { describeApi } from "./openapi.ts";
import { RESOURCES, RESOURCE_NAMES } from "./resources.ts";
import { Tally } from "./tally.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

describe("the API", () => {
  let { readiness } = SOURCES;
  const answers = new Tally("code");
  const handler = createApiHandler({ ...SOURCES, readiness: () => readiness() }, answers);
  const server = createServer((request, response) => {
    if (!handler(request, response)) response.writeHead(404).end();
  });
  const stack = new AsyncDisposableStack();
  let socketPath: string;
  before(async () => {
    socketPath = await listenForTest(server, stack);
  });
  after(async () => {
    await stack.disposeAsync();
  });
  const ask = async (path: string, method = "GET"): Promise<Answer> => {
    const question = request({ socketPath, path, method, agent: false }).end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await readText(response) };
  };

  for (const name of RESOURCE_NAMES) {
    it(`answers at ${RESOURCES[name].path} with JSON, as it is described`, async () => {
      const { status, headers, body } = await ask(RESOURCES[name].path);
      assert.deepEqual([status, headers["content-type"]], [200, "application/json"]);
      assert.deepEqual(ANSWERS[name].parse(JSON.parse(body)), JSON.parse(body));
    });
  }

  it("answers with status 503 where not all is well, and says why", async () => {
    const parts = [{ name: "datastore", ok: false, reasons: ["datastore: gone"] }];
    readiness = () => ({ ok: false, parts, degraded: [] });
    const { status, body } = await ask("/readyz");
    assert.equal(status, 503);
    assert.deepEqual(JSON.parse(body), { ok: false, parts, degraded: [] });
    assert.equal((await ask("/healthz")).status, 200);
    ({ readiness } = SOURCES);
  });

  it("serves metrics in Prometheus' text format", async () => {
    const { status, headers, body } = await ask("/metrics");
    assert.deepEqual([status, headers["content-type"]], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    assert.equal(body, "# HELP margay_ready Whether it is.\n# TYPE margay_ready gauge\nmargay_ready 1\n");
  });

  it("serves its own description", async () => {
    const { status, headers, body } = await ask("/openapi.json");
    assert.deepEqual([status, headers["content-type"]], [200, "application/json"]);
    assert.deepEqual(JSON.parse(body), JSON.parse(JSON.stringify(describeApi(SOURCES.version))));
  });

  it("counts its answers by their status", async () => {
    const count = (): number =>
      answers.samples().find(({ labels }) => labels?.["code"] === "405")?.value ?? 0;
    const before = count();
    await ask("/metrics", "DELETE");
    assert.equal(count(), before + 1);
  });

  it("answers a HEAD without a body", async () => {
    const { status, headers, body } = await ask("/api/v1/status", "HEAD");
    const { length } = (await ask("/api/v1/status")).body;
    assert.deepEqual([status, headers["content-length"], body], [200, String(length), ""]);
  });

  it("streams events to GET alone", async () => {
    const { status, headers } = await ask("/api/v1/events", "HEAD");
    assert.deepEqual([status, headers.allow], [405, "GET"]);
    const question = request({ socketPath, path: "/api/v1/events", agent: false }).end();
    const [response] = (await once(question, "response")) as [IncomingMessage];
    const [first] = (await once(response.setEncoding("utf8"), "data")) as [string];
    assert.equal(first, `event: readiness\ndata: ${JSON.stringify(SOURCES.readiness())}\n\n`);
    response.destroy();
  });

  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
    it(`refuses ${method}`, async () => {
      const { status, headers } = await ask("/api/v1/status", method);
      assert.deepEqual([status, headers.allow], [405, "GET, HEAD"]);
    });
  }

  it("refuses a query, since there is nothing to ask for by one", async () => {
    assert.equal((await ask("/api/v1/status?wait=ready")).status, 400);
    assert.equal((await ask("/api/v1/status?")).status, 400);
  });

  const others = [
    "/",
    "/api/v1",
    "/api/v1/status/",
    "//api/v1/status",
    "/api/v1/../v1/status",
    "/api/v1/%2e%2e/v1/status",
    "/api/v1/stat%75s",
    "/API/v1/status",
    "/api/v1/status#routes",
    "/api/v1/__proto__",
    "/api/v1/status;x=1",
    "/../../../../etc/passwd",
    "http://margay/api/v1/status",
  ];
  for (const path of others) {
    it(`leaves ${path} alone`, async () => {
      assert.equal((await ask(path)).status, 404);
    });
  }
});
