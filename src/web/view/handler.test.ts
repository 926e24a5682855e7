// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, createServer, request } from "node:http";
import { text as readText } from "node:stream/consumers";
import { afterEach, describe, it } from "node:test";
import { systemClock } from "../../system/clock.ts";
import { Conditions } from "../../system/conditions.ts";
import { silentLog } from "../../system/log.ts";
import { listenForTest } from "../listen-for-test.ts";
import { jsonReply } from "../reply.ts";
import { Tally } from "../tally.ts";
import { EventLog } from "./event-log.ts";
import type { FeedOptions } from "./feed.ts";
import { createDashboard } from "./handler.ts";
import { type ServerEvent, readEvents } from "./read-events.ts";
import type { LiveView } from "./source.ts";
import { EMPTY_VIEW, containerItem } from "./view-fixtures.ts";
import type { View } from "./view.ts";

/** A view that a test changes, and how often it was opened and closed. */
class TestSource {
  readonly log = new EventLog();
  readonly #conditions = new Conditions();
  view: View = { ...EMPTY_VIEW, containers: [containerItem()] };
  failure: Error | undefined;
  opened = 0;
  closed = 0;

  readonly open = (): Promise<LiveView> => {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.opened++;
    let checks = -1;
    return Promise.resolve({
      log: this.log,
      read: () => {
        checks = this.#conditions.checks;
        return this.view;
      },
      changed: (signal) => this.#conditions.until(() => this.#conditions.checks !== checks, signal),
      [Symbol.asyncDispose]: () => {
        this.closed++;
        return Promise.resolve();
      },
    });
  };

  become(more: Partial<View>): void {
    this.view = { ...this.view, ...more };
    this.#conditions.check();
  }
}

describe("what the dashboard asks for", () => {
  let stack = new AsyncDisposableStack();
  afterEach(async () => {
    await stack.disposeAsync();
    stack = new AsyncDisposableStack();
  });

  async function serve(
    source: TestSource,
    options: FeedOptions = {},
  ): Promise<{ ask: (path: string, method?: string) => Promise<IncomingMessage>; end: () => Promise<void> }> {
    const dashboard = createDashboard(
      {
        sources: {
          open: source.open,
          detail: (node, detail) => {
            if (node === "dead") return Promise.reject(new Error("it does not answer"));
            return Promise.resolve(node === "host1" ? jsonReply(200, { detail }) : undefined);
          },
        },
        answers: new Tally("code"),
        clock: systemClock,
        log: silentLog,
      },
      { intervalMs: 5, lingerMs: 0, ...options },
    );
    stack.use(dashboard);
    const server = createServer((incoming, response) => {
      if (!dashboard.handle(incoming, response)) response.writeHead(404).end();
    });
    const socketPath = await listenForTest(server, stack);
    return {
      async ask(path, method = "GET") {
        const question = request({ socketPath, path, method, agent: false }).end();
        const [response] = (await once(question, "response")) as [IncomingMessage];
        return response;
      },
      async end() {
        await dashboard[Symbol.asyncDispose]();
      },
    };
  }

  /** Gives the next event each time; and whether there is none, once the stream has ended. */
  function follow(response: IncomingMessage): () => Promise<ServerEvent | undefined> {
    const events = readEvents(response.setEncoding("utf8"));
    return async () => {
      const next = await events.next();
      return next.done === true ? undefined : next.value;
    };
  }

  it("is the whole view, made for who asks and closed after", async () => {
    const source = new TestSource();
    const { ask } = await serve(source);
    const response = await ask("/api/v1/view");
    assert.equal(response.headers["content-type"], "application/json");
    assert.deepEqual(JSON.parse(await readText(response)), source.view);
    while (source.closed === 0) await systemClock.sleep(1);
    assert.equal(source.opened, 1);
    source.become({ at: 7, containers: [] });
    assert.deepEqual(JSON.parse(await readText(await ask("/api/v1/view"))), source.view);
  });

  it("is a stream: the view, the log so far, and then what differs alone", async () => {
    const source = new TestSource();
    source.log.add({ id: "1", atMs: 1, node: "host1", level: "info", text: "the agent has started" });
    const { ask } = await serve(source);
    const response = await ask("/api/v1/view/events");
    assert.equal(response.headers["content-type"], "text/event-stream");
    const next = follow(response);
    const [first, second] = [await next(), await next()];
    assert.deepEqual([first?.name, JSON.parse(first?.data ?? "")], ["view", source.view]);
    assert.deepEqual([second?.name, /"id":"1"/.test(second?.data ?? "")], ["event", true]);
    const other = containerItem({ id: "host1/cali2" });
    source.become({ at: 2, containers: [containerItem(), other] });
    assert.deepEqual(await next(), {
      name: "change",
      data: JSON.stringify({ at: 2, containers: { set: [other], removed: [] } }),
    });
    source.log.add({ id: "2", atMs: 2, node: "host1", level: "info", text: "gone" });
    source.become({ at: 3, containers: [other] });
    assert.equal((await next())?.name, "event");
    assert.deepEqual(await next(), {
      name: "change",
      data: JSON.stringify({ at: 3, containers: { set: [], removed: ["host1/cali1"] } }),
    });
    response.destroy();
    while (source.closed === 0) await systemClock.sleep(1);
    assert.equal(source.opened, 1);
  });

  it("shares one view among all, and is for a few at once", async () => {
    const source = new TestSource();
    const { ask } = await serve(source, { most: 2 });
    const responses = [await ask("/api/v1/view/events"), await ask("/api/v1/view/events")];
    assert.equal((await ask("/api/v1/view/events")).statusCode, 503);
    const nexts = responses.map(follow);
    for (const next of nexts) assert.equal((await next())?.name, "view");
    source.become({ at: 2, containers: [] });
    const told = await Promise.all(nexts.map((next) => next()));
    assert.deepEqual(told[0], told[1]);
    assert.equal(source.opened, 1);
    for (const response of responses) response.destroy();
  });

  it("keeps nothing for who does not read, and has them catch up at once", async () => {
    const source = new TestSource();
    const { ask } = await serve(source);
    const response = await ask("/api/v1/view/events");
    response.pause();
    const big = "x".repeat(200_000);
    for (let round = 1; round <= 100; round++) {
      source.become({ at: round, containers: [containerItem({ name: `${round}${big}` })] });
      await systemClock.sleep(6);
    }
    source.become({ at: 101, containers: [containerItem({ name: "last" })] });
    const next = follow(response);
    let changes = 0;
    for (let event = await next(); event?.data.includes('"last"') !== true; event = await next()) changes++;
    // What sockets hold was sent: nowhere near all hundred.
    assert.ok(changes < 50, `${changes} changes were kept`);
    response.destroy();
  });

  it("shows that it is alive", async () => {
    const { ask } = await serve(new TestSource(), { heartbeatMs: 10 });
    const response = (await ask("/api/v1/view/events")).setEncoding("utf8");
    for await (const chunk of response) if (String(chunk).includes(": still here\n\n")) break;
  });

  it("fails where there is no view to be had, and tries anew for who asks next", async () => {
    const source = new TestSource();
    source.failure = new Error("no counters here");
    const { ask } = await serve(source);
    const response = await ask("/api/v1/view");
    assert.equal(response.statusCode, 503);
    assert.deepEqual(JSON.parse(await readText(response)), { error: "no counters here" });
    source.failure = undefined;
    assert.equal((await ask("/api/v1/view")).statusCode, 200);
  });

  it("ends with whoever serves it", async () => {
    const source = new TestSource();
    const { ask, end } = await serve(source);
    const next = follow(await ask("/api/v1/view/events"));
    assert.equal((await next())?.name, "view");
    await end();
    await assert.rejects(next(), /aborted/);
    assert.equal(source.closed, 1);
  });

  it("has details of the nodes that are known", async () => {
    const { ask } = await serve(new TestSource());
    for (const detail of ["routes", "neighbours", "bgp"]) {
      const response = await ask(`/api/v1/nodes/host1/${detail}`);
      assert.deepEqual([response.statusCode, await readText(response)], [200, JSON.stringify({ detail })]);
    }
    assert.equal((await ask("/api/v1/nodes/host2/routes")).statusCode, 404);
    assert.equal((await ask("/api/v1/nodes/dead/routes")).statusCode, 503);
  });

  it("is asked for by GET alone, and by no query that it does not know", async () => {
    const { ask } = await serve(new TestSource());
    for (const [path, allow] of [
      ["/api/v1/view", "GET, HEAD"],
      ["/api/v1/view/events", "GET"],
      ["/api/v1/trace?source=a&destination=b", "GET"],
      ["/api/v1/nodes/host1/routes", "GET, HEAD"],
    ] as const)
      for (const method of ["POST", "DELETE", ...(allow === "GET" ? ["HEAD"] : [])]) {
        const { statusCode, headers } = await ask(path, method);
        assert.deepEqual([statusCode, headers.allow], [405, allow], `${method} ${path}`);
      }
    for (const path of ["/api/v1/view?", "/api/v1/view/events?x=1", "/api/v1/nodes/host1/routes?all"])
      assert.equal((await ask(path)).statusCode, 400, path);
    assert.equal((await ask("/api/v1/trace")).statusCode, 404, "nobody here sends probes");
  });

  const others = [
    "/api/v1/view/",
    "/api/v1/views",
    "/api/v1/view/events/",
    "/api/v1/nodes/host1",
    "/api/v1/nodes/host1/status",
    "/api/v1/nodes//routes",
    "/api/v1/nodes/../routes",
    "/api/v1/nodes/host1/../routes",
    "/api/v1/nodes/%68ost1/routes",
    "/api/v1/nodes/HOST1/routes",
    "/api/v1/nodes/host1/routes/",
    `/api/v1/nodes/${"a".repeat(300)}/routes`,
    "/api/v1/nodes/a b/routes".replace(" ", "%20"),
    "/api/v1/trace/",
  ];
  for (const path of others)
    it(`leaves ${path.slice(0, 60)} alone`, async () => {
      const { ask } = await serve(new TestSource());
      assert.equal((await ask(path)).statusCode, 404);
    });
});
