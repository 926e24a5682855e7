// SPDX-License-Identifier: Apache-2.0
// What the dashboard's page is fed with, by the command that people run: a whole lab, and one node of it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, after, before, describe, it } from "node:test";
import { text as readText } from "node:stream/consumers";
import { ANSWERS } from "../../src/web/answers.ts";
import { applyChange } from "../../src/web/view/apply-change.ts";
import { readEvents } from "../../src/web/view/read-events.ts";
import {
  COLLECTIONS,
  type LogEvent,
  type View,
  type ViewChange,
  changeSchema,
  logEventSchema,
  viewSchema,
} from "../../src/web/view/view.ts";
import { type Lab, MARGAY, createLab, eventually, killAgent } from "./harness.ts";
import { PATIENCE_MS } from "./patience.ts";

/** `margay dashboard`, until it is disposed. */
class Dashboard implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #base: string;
  readonly token: string;

  constructor(process: ChildProcess, url: string) {
    const [, base = "", token = ""] =
      /^(http:\/\/127\.0\.0\.1:\d+)\/#token=(\S+)$/.exec(url) ?? assert.fail(`no address: ${url}`);
    this.#process = process;
    this.#base = base;
    this.token = token;
  }

  static async start(...args: readonly string[]): Promise<Dashboard> {
    const child = spawn(MARGAY, ["dashboard", "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    let text = "";
    const { promise: isTold, resolve } = Promise.withResolvers<unknown>();
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (text.includes("}")) resolve(undefined);
    });
    child.once("close", resolve);
    await isTold;
    assert.equal(child.exitCode, null, errors);
    return new Dashboard(child, (JSON.parse(text) as { url: string }).url);
  }

  get port(): string {
    return new URL(this.#base).port;
  }

  fetch(
    path: string,
    { token = this.token, signal = AbortSignal.timeout(PATIENCE_MS) } = {},
  ): Promise<Response> {
    const headers: Record<string, string> = token === "" ? {} : { authorization: `Bearer ${token}` };
    return fetch(this.#base + path, { headers, signal });
  }

  async view(): Promise<View> {
    return viewSchema.parse(await (await this.fetch("/api/v1/view")).json());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    if (this.#process.exitCode === null) await once(this.#process, "close");
  }
}

/** Who follows a view as the page does; it fails where something is told that has not changed. */
class Follower implements AsyncDisposable {
  readonly #closing = new AbortController();
  readonly #waiters = new Set<() => void>();
  readonly #reading: Promise<void>;
  readonly events: LogEvent[] = [];
  view: View | undefined;
  failure: Error | undefined;
  changes = 0;

  constructor(dashboard: Dashboard) {
    this.#reading = this.#read(dashboard).catch((error: unknown) => {
      if (!this.#closing.signal.aborted)
        this.failure = error instanceof Error ? error : new Error(String(error));
      for (const wake of this.#waiters) wake();
    });
  }

  /** Resolves once it holds of what was told. */
  async until(isMet: (view: View, events: readonly LogEvent[]) => boolean, what: string): Promise<View> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (this.view !== undefined && isMet(this.view, this.events)) return this.view;
      if (deadline.aborted) assert.fail(`waited for ${what} in vain: ${JSON.stringify(this.view)}`);
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const wake = resolve.bind(undefined, undefined);
      this.#waiters.add(wake);
      deadline.addEventListener("abort", wake);
      await promise;
      this.#waiters.delete(wake);
      deadline.removeEventListener("abort", wake);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#reading;
  }

  async #read(dashboard: Dashboard): Promise<void> {
    const response = await dashboard.fetch("/api/v1/view/events", { signal: this.#closing.signal });
    assert.equal(response.status, 200);
    const body = response.body?.pipeThrough(new TextDecoderStream()) ?? assert.fail("no body");
    for await (const { name, data } of readEvents(body)) {
      this.#take(name, JSON.parse(data));
      for (const wake of this.#waiters) wake();
    }
    assert.fail("the stream has ended");
  }

  #take(name: string, json: unknown): void {
    if (name === "event") this.events.push(logEventSchema.parse(json));
    else if (name === "view") {
      assert.equal(this.view, undefined, "the whole view comes once");
      this.view = viewSchema.parse(json);
    } else {
      assert.ok(name === "change" && this.view !== undefined, name);
      const change = changeSchema.parse(json) as unknown as ViewChange;
      assertDiffers(this.view, change);
      this.view = applyChange(this.view, change);
      this.changes++;
    }
  }
}

function assertDiffers(view: View, change: ViewChange): void {
  for (const name of COLLECTIONS) {
    const { set = [], removed = [] } = change[name] ?? {};
    const before = new Map(view[name].map((item) => [item.id, JSON.stringify(item)]));
    for (const item of set) assert.notEqual(before.get(item.id), JSON.stringify(item), "it has not changed");
    for (const id of removed) assert.ok(before.has(id), `${id} was never there`);
  }
}

const isUp = (view: View, machine: string): boolean | null | undefined =>
  view.machines.find(({ id }) => id === machine)?.ports[0]?.isUp;
const nodeOf = (view: View, name: string): View["nodes"][number] | undefined =>
  view.nodes.find(({ id }) => id === name);
const containerNames = (view: View): readonly string[] => view.containers.map(({ name }) => name).sort();

describe("the feed of the dashboard", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab();
  });
  after(() => lab[Symbol.asyncDispose]());

  describe("of a lab", () => {
    let dashboard: Dashboard;
    before(async () => {
      dashboard = await Dashboard.start("--lab", lab.name);
    });
    after(() => dashboard[Symbol.asyncDispose]());

    it("is all of it, as the lab has it", async () => {
      let view = await dashboard.view();
      // An agent that is kept from running is not waited for longer than a person would.
      await eventually(async () => {
        view = await dashboard.view();
        return view.nodes.every(({ isAnswering, isReady }) => isAnswering && isReady === true);
      }, "answers of all agents");
      const status = await lab.status();
      assert.deepEqual([view.scope, view.name], ["lab", lab.name]);
      assert.deepEqual(
        view.containers
          .map(({ name, node, interface: ifName, addresses, isReady }) =>
            [name, node, ifName, isReady, ...addresses].join(" "),
          )
          .sort(),
        status.containers
          .map(({ name, host, interface: ifName, addresses }) =>
            [name, host, ifName, true, ...addresses].join(" "),
          )
          .sort(),
      );
      assert.deepEqual(
        view.nodes.map(({ id, addresses, isReady, isAnswering, routeSource }) => [
          id,
          addresses[0],
          isReady,
          isAnswering,
          routeSource,
        ]),
        status.hosts.map(({ name, address }) => [name, address, true, true, "bird"]),
      );
      assert.deepEqual(
        view.machines.map(({ id, kind, ports }) => [id, kind, ports[0]?.address, ports[0]?.isUp]),
        status.hosts.map(({ name, address }) => [name, "host", address, true]),
      );
      assert.deepEqual(
        view.sessions.map(({ from, to, state }) => [from, to, state]),
        [
          ["host1", "host2", "Established"],
          ["host2", "host1", "Established"],
        ],
      );
      assert.deepEqual(view.blocks.map(({ node, used }) => `${node} ${used}`).sort(), ["host1 2", "host2 2"]);
      const counted = new Set(view.counters.map(({ id }) => id));
      for (const { node, interface: ifName } of view.containers) assert.ok(counted.has(`${node}/${ifName}`));
      for (const { name } of status.hosts) assert.ok(counted.has(`${name}/eth0`));
    });

    it("is for who has the token; the page has no secret", async () => {
      for (const path of ["/api/v1/view", "/api/v1/view/events", "/api/v1/trace", "/api/v1/nodes/host1/bgp"])
        for (const token of ["", "0".repeat(43)])
          assert.equal((await dashboard.fetch(path, { token })).status, 401, path);
      const page = await dashboard.fetch("/", { token: "" });
      assert.ok([200, 503].includes(page.status), "built here or not");
      assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'self';/);
      assert.ok(!(await page.text()).includes(dashboard.token));
      assert.equal((await dashboard.fetch("/metrics")).status, 404);
    });

    it("has the details of each node, and of no other", async () => {
      const response = await dashboard.fetch("/api/v1/nodes/host2/routes");
      const { routes } = ANSWERS.routes.parse(await response.json());
      assert.ok(routes.some(({ origin }) => origin === "bird"));
      const { sessions } = ANSWERS.bgp.parse(await (await dashboard.fetch("/api/v1/nodes/host1/bgp")).json());
      assert.equal(sessions.length, 1);
      assert.equal((await dashboard.fetch("/api/v1/nodes/host9/bgp")).status, 404);
    });

    it("tells of containers as they come and go, and of nothing that has not changed", async () => {
      await using follower = new Follower(dashboard);
      await follower.until((view) => containerNames(view).join() === "a,b,c,d", "the lab");
      await lab.margay("add", "e", "--host", "host1");
      const address = await lab.address("e");
      const isTold = (events: readonly LogEvent[], what: string): boolean =>
        events.some(
          ({ node, text }) =>
            node === "host1" && text.startsWith(`container "e" (${address}, `) && text.endsWith(what),
        );
      const view = await follower.until(
        (now, events) =>
          now.containers.some(({ name, isReady }) => name === "e" && isReady === true) &&
          now.blocks.some(({ node, used }) => node === "host1" && used === 3) &&
          isTold(events, " has come"),
        "the container",
      );
      const one = view.containers.find(({ name }) => name === "e");
      assert.deepEqual([one?.node, one?.addresses], ["host1", [address]]);
      const sent = (now: View): number => now.counters.find(({ id }) => id === one?.id)?.rxPackets ?? 0;
      await lab.exec("e", "ping", "-c", "5", "-i", "0.2", await lab.address("d"));
      await follower.until((now) => sent(now) >= 5, "what it has sent");
      await lab.margay("rm", "e");
      await follower.until(
        (now, events) => containerNames(now).join() === "a,b,c,d" && isTold(events, " has gone"),
        "its end",
      );
      assert.ok(follower.changes > 0);
    });

    it("tells of a link of the underlay that is cut, and mended", async (context: TestContext) => {
      await using follower = new Follower(dashboard);
      await follower.until((view) => isUp(view, "host2") === true, "the link");
      const cutAtMs = performance.now();
      await lab.exec("host2", "ip", "link", "set", "eth0", "down");
      await follower.until((view) => isUp(view, "host2") === false, "the cut");
      context.diagnostic(`a cut link was told after ${(performance.now() - cutAtMs).toFixed(0)} ms`);
      await follower.until(
        (_view, events) =>
          events.some(
            ({ node, level, text }) =>
              node === "host2" && level === "error" && text.startsWith("underlay: eth0 "),
          ),
        "a line of the log",
      );
      await lab.exec("host2", "ip", "link", "set", "eth0", "up");
      await follower.until((view) => isUp(view, "host2") === true, "the link again");
      await lab.repair();
    });

    it("tells of what an agent has put right", async () => {
      await using follower = new Follower(dashboard);
      await follower.until((view) => nodeOf(view, "host1")?.isReady === true, "the node");
      const told = /^kernel: put right .*: 1 route$/;
      await lab.exec("host1", "ip", "route", "del", `${await lab.address("a")}/32`);
      await follower.until(
        (_view, events) => events.some(({ node, text }) => node === "host1" && told.test(text)),
        "a line of the log",
      );
    });

    it("says which agent does not answer, with what was there last, and when it is back", async () => {
      await using follower = new Follower(dashboard);
      await follower.until((view) => nodeOf(view, "host2")?.isReady === true, "both agents");
      await killAgent(lab, "host2");
      const view = await follower.until((now) => nodeOf(now, "host2")?.isAnswering === false, "a dead agent");
      assert.equal(nodeOf(view, "host2")?.isReady, null);
      assert.equal(nodeOf(view, "host1")?.isAnswering, true);
      assert.deepEqual(view.containers.map(({ name, isReady }) => `${name} ${isReady}`).sort(), [
        "a true",
        "b true",
        "c null",
        "d null",
      ]);
      assert.equal(isUp(view, "host2"), true, "nobody has cut its link");
      await lab.repair();
      await follower.until(
        (now, events) =>
          nodeOf(now, "host2")?.isReady === true &&
          now.containers.every(({ isReady }) => isReady === true) &&
          events.some(({ node, text }) => node === "host2" && text === "the agent has started"),
        "the agent",
      );
    });

    it("traces between any two containers, one at a time", async () => {
      const traceTwice = (): Promise<readonly Response[]> =>
        Promise.all(
          [1, 2].map(() => dashboard.fetch("/api/v1/trace?source=a&destination=d&proto=udp&port=9")),
        );
      let traces = await traceTwice();
      const areBothTraced = (): boolean => traces.every(({ status }) => status === 200);
      // The one may be over before the other has come.
      await eventually(async () => {
        if (areBothTraced()) traces = await traceTwice();
        return !areBothTraced();
      }, "a trace beside another");
      const statuses = traces.map(({ status }) => status).sort();
      assert.deepEqual(statuses, [200, 503]);
      for (const response of traces) {
        if (response.status === 503) assert.equal(response.headers.get("retry-after"), "2");
        const trace = (await response.json()) as { ok?: boolean; steps?: readonly { station: string }[] };
        if (response.status !== 200) continue;
        assert.equal(trace.ok, true);
        assert.deepEqual(
          [...new Set(trace.steps?.map(({ station }) => station))],
          ["a", "host1", "host2", "d"],
        );
      }
      assert.equal((await dashboard.fetch("/api/v1/trace?source=a&destination=nobody")).status, 404);
      assert.equal((await dashboard.fetch("/api/v1/trace?source=a&destination=d&proto=tcp")).status, 400);
    });
  });

  describe("of a node", () => {
    it("is what its agent knows, and passes on what happens there", async () => {
      await using dashboard = await Dashboard.start("--socket", lab.agentSocket("host1"));
      const view = await dashboard.view();
      assert.deepEqual([view.scope, view.name, containerNames(view)], ["node", "host1", ["a", "b"]]);
      assert.deepEqual(
        view.nodes.map(({ id, isOwn, isReady }) => [id, isOwn, isReady]),
        [
          ["host1", true, true],
          ["host2", false, null],
        ],
      );
      assert.deepEqual(view.blocks.map(({ node }) => node).sort(), ["host1", "host2"]);
      assert.deepEqual([isUp(view, "host1"), isUp(view, "host2")], [true, null]);
      assert.equal((await dashboard.fetch("/api/v1/nodes/host1/neighbours")).status, 200);
      assert.equal((await dashboard.fetch("/api/v1/nodes/host2/neighbours")).status, 404);
      const [a, b] = [await lab.address("a"), await lab.address("b")];
      const traced = await dashboard.fetch(`/api/v1/trace?source=${a}&destination=${b}`);
      assert.deepEqual([traced.status, ((await traced.json()) as { ok: boolean }).ok], [200, true]);

      await using follower = new Follower(dashboard);
      await follower.until((now) => containerNames(now).join() === "a,b", "the node");
      await lab.margay("add", "f", "--host", "host1");
      await follower.until((now) => containerNames(now).join() === "a,b,f", "the container");
      await lab.margay("rm", "f");
      await follower.until((now) => containerNames(now).join() === "a,b", "its end");
      assert.equal((await dashboard.fetch("/cni")).status, 404);
    });

    it("says so while no agent answers", async () => {
      await using dashboard = await Dashboard.start("--socket", "/run/margay/nobody.sock");
      const response = await dashboard.fetch("/api/v1/view");
      assert.equal(response.status, 503);
      assert.match(await response.text(), /does not answer/);
    });
  });

  it("is given up where the port is taken that was asked for", async () => {
    await using first = await Dashboard.start("--lab", lab.name);
    const second = spawn(MARGAY, ["dashboard", "--lab", lab.name, "--port", first.port]);
    const errors = await readText(second.stderr);
    assert.match(errors, /EADDRINUSE/);
    assert.equal(second.exitCode ?? (await once(second, "close"))[0], 1);
  });
});
