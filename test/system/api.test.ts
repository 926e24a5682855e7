// SPDX-License-Identifier: Apache-2.0
// The API and the metrics of real agents: what they tell is what the kernel, BIRD and the datastore have.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, get } from "node:http";
import { dirname, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { LOG_FIELDS } from "../../src/system/log.ts";
import { ANSWERS } from "../../src/web/answers.ts";
import { RESOURCES, RESOURCE_NAMES } from "../../src/web/resources.ts";
import type { Answer, AnswerName } from "../../src/web/sources.ts";
import { createRuntime } from "./cni-runtime.ts";
import {
  type Lab,
  MARGAY,
  createLab,
  eventually,
  execute,
  killAgent,
  killHost,
  readStore,
  settled,
} from "./harness.ts";
import { PATIENCE_MS } from "./patience.ts";

const PORT = 9100;
const TOKEN = "0123456789abcdef0123456789abcdef";

/** A sample of a scrape, as it stands there: `name{label="value"}`. */
type Scrape = ReadonlyMap<string, number>;

/** As docs/agent.md has it. */
const logLine = z.strictObject({
  time: z.iso.datetime({ precision: 3 }),
  level: z.enum(["debug", "info", "warn", "error"]),
  scope: z.string().min(1).optional(),
  message: z.string().min(1),
  ...Object.fromEntries(LOG_FIELDS.map((field) => [field, z.unknown().optional()])),
});

/** What ip(8) says of a route. */
interface Listed {
  readonly dst: string;
  readonly protocol: string;
}

describe("the API of an agent", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab();
  });
  after(() => lab[Symbol.asyncDispose]());

  const fetchText = async (
    path: string,
    host = "host1",
  ): Promise<readonly [status: number, body: string]> => {
    const request = get({ socketPath: lab.agentSocket(host), path, timeout: PATIENCE_MS, agent: false });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return [response.statusCode ?? 0, await readText(response)];
  };
  /** Checked against its schema. */
  const ask = async <Name extends AnswerName>(name: Name, host?: string): Promise<Answer<Name>> => {
    const [, body] = await fetchText(RESOURCES[name].path, host);
    return ANSWERS[name].parse(JSON.parse(body)) as Answer<Name>;
  };
  const scrape = async (host?: string): Promise<Scrape> => {
    const [status, body] = await fetchText("/metrics", host);
    assert.equal(status, 200);
    const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => [
        line.slice(0, line.lastIndexOf(" ")),
        Number(line.slice(line.lastIndexOf(" ") + 1)),
      ]),
    );
  };
  /** How often the plugin was called so, by its histogram. */
  const calls = (page: Scrape, command: string, outcome = "success"): number =>
    page.get(`margay_cni_call_duration_seconds_count{command="${command}",outcome="${outcome}"}`) ?? 0;

  it("gives every answer as it is described", async () => {
    for (const name of RESOURCE_NAMES) {
      const [status, body] = await fetchText(RESOURCES[name].path);
      assert.equal(status, 200, body);
      assert.deepEqual(ANSWERS[name].parse(JSON.parse(body)), JSON.parse(body), name);
    }
    const [, description] = await fetchText("/openapi.json");
    for (const name of RESOURCE_NAMES) assert.ok(description.includes(`"${RESOURCES[name].path}"`), name);
  });

  it("tells the routes that ip(8) tells, and who has brought each", async () => {
    const origins: Readonly<Record<string, string>> = { "80": "agent", bird: "bird", kernel: "kernel" };
    const list = async (family: string): Promise<readonly Listed[]> =>
      JSON.parse(
        await lab.exec("host1", "ip", "-j", "-d", family, "route", "show", "table", "main"),
      ) as Listed[];
    const listed = async (): Promise<readonly string[]> =>
      [...(await list("-4")), ...(await list("-6")).filter(({ dst }) => !dst.startsWith("fe80::"))].map(
        ({ dst, protocol }) => {
          const length = dst.includes(":") ? 128 : 32;
          const cidr = dst === "default" ? "0.0.0.0/0" : dst.includes("/") ? dst : `${dst}/${length}`;
          return [cidr, origins[protocol] ?? "other", true].join(" ");
        },
      );
    // The agent's own give way to BIRD's once those are there.
    await settled(async () => (await listed()).join("\n"));
    const { routes, unroutable } = await ask("routes");
    const told = routes.map(({ dst, origin, present }) => [dst, origin, present].join(" ")).sort();
    assert.deepEqual(told, (await listed()).toSorted());
    assert.ok(
      told.some((line) => line.includes(" bird ")),
      told.join("\n"),
    );
    assert.deepEqual(unroutable, []);
  });

  it("tells of BGP who is at the other end", async () => {
    const { state, sessions, missing, originated } = await ask("bgp");
    assert.deepEqual([state, missing], ["running", []]);
    const [session, ...more] = sessions;
    assert.deepEqual([session?.with, session?.state, more.length], ['node "host2"', "Established", 0]);
    const { blocks } = await ask("ipam");
    assert.deepEqual(
      originated,
      blocks.filter(({ node }) => node === "host1").map(({ cidr }) => cidr),
    );
  });

  it("has numbers that follow containers as they come and go", async () => {
    const before = await scrape();
    const { endpoints } = await ask("endpoints");
    assert.equal(before.get("margay_endpoints"), endpoints.length);
    assert.equal(endpoints.length, 2);
    assert.equal(before.get('margay_bgp_sessions{state="Established"}'), 1);
    assert.equal(before.get("margay_ready"), 1);
    const inUse = 'margay_ipam_node_addresses{state="in_use"}';
    const ownRoutes = 'margay_routes{origin="agent"}';
    {
      await using runtime = await createRuntime(lab, "ap1");
      const { ips } = await runtime.add();
      const address = ips[0]?.address ?? assert.fail("no address");
      const one = (await ask("endpoints")).endpoints.find(({ workload }) => workload === "ap1");
      assert.deepEqual([one?.addresses, one?.endpoint, one?.pending], [[address.split("/")[0]], "eth0", []]);
      const route = (await ask("routes")).routes.find(({ dst }) => dst === address);
      assert.deepEqual([route?.origin, route?.interface, route?.present], ["agent", one?.interface, true]);
      const { neighbours } = await ask("neighbours");
      const neighbour = neighbours.find(({ ip }) => ip === address.split("/")[0]);
      assert.deepEqual([neighbour?.permanent, neighbour?.mac], [true, one?.mac]);
      const during = await scrape();
      const change = (name: string): number => (during.get(name) ?? NaN) - (before.get(name) ?? NaN);
      assert.deepEqual([change("margay_endpoints"), change(inUse), change(ownRoutes)], [1, 1, 1]);
      assert.equal(calls(during, "ADD") - calls(before, "ADD"), 1);
      const applied = "margay_dataplane_apply_duration_seconds_count";
      assert.ok(change(applied) > 0 && change("margay_dataplane_change_latency_seconds_count") > 0);
      assert.ok(change("process_cpu_seconds_total") > 0);
      await runtime.fails(
        "ADD",
        { ipam: { type: "calico-ipam", ipv4_pools: ["no-such-pool"] } },
        { CNI_IFNAME: "eth1" },
      );
      await runtime.succeeds("DEL");
    }
    const isGone = (page: Scrape): boolean =>
      [inUse, "margay_endpoints", ownRoutes].every((name) => page.get(name) === before.get(name)) &&
      Array.from(page).every(
        ([name, value]) => value === 0 || !name.startsWith("margay_dataplane_objects_pending"),
      );
    await eventually(async () => isGone(await scrape()), "all numbers as they were");
    const afterwards = await scrape();
    assert.equal(calls(afterwards, "DEL") - calls(before, "DEL"), 1);
    assert.equal(calls(afterwards, "ADD", "error") - calls(before, "ADD", "error"), 1);
    assert.equal(afterwards.get('margay_cni_errors_total{error="invalidConfig"}'), 1);
  });

  it("is not ready, and says which part, while the only other node is away", async () => {
    await killHost(lab, "host2");
    await eventually(async () => (await fetchText("/readyz"))[0] === 503, "a node that is not ready");
    const { ok, parts } = await ask("readiness");
    const unready = parts.filter((part) => !part.ok).map(({ name }) => name);
    assert.deepEqual([ok, unready], [false, ["bird"]]);
    assert.match(parts.flatMap(({ reasons }) => reasons).join(), /^bird: no session with node "host2"/);
    const page = await scrape();
    assert.deepEqual(
      ["margay_ready", 'margay_part_ready{part="bird"}', 'margay_part_ready{part="datastore"}'].map((name) =>
        page.get(name),
      ),
      [0, 0, 1],
    );
    assert.equal((await fetchText("/healthz"))[0], 200);
    await lab.repair();
    assert.equal((await fetchText("/readyz"))[0], 200);
  });

  describe("by TCP", () => {
    let agent: ChildProcess;
    let log = "";
    before(async () => {
      await killAgent(lab, "host1");
      const directory = dirname(lab.agentSocket("host1"));
      const tokenFile = join(directory, "api-token");
      await writeFile(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
      const config = JSON.parse(await readFile(join(directory, "agent.json"), "utf8")) as object;
      const path = join(directory, "agent-with-api.json");
      await writeFile(
        path,
        JSON.stringify({ ...config, log: { level: "debug" }, api: { port: PORT, tokenFile } }),
      );
      agent = lab.start("host1", MARGAY, "agent", "--config", path);
      agent.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
      await eventually(async () => (await curl("host1", "/healthz")).startsWith("200 "), "an answer by TCP");
      await eventually(async () => (await fetchText("/readyz"))[0] === 200, "a node that is ready");
    });
    after(async () => {
      agent.kill("SIGTERM");
      if (agent.exitCode === null) await once(agent, "close");
      await lab.repair();
    });

    /** Status and body, or nothing where nobody answers. The token is not an argument: others see those. */
    const curl = async (
      node: string,
      path: string,
      { token = TOKEN, to = "127.0.0.1", method = "GET" } = {},
    ): Promise<string> => {
      const header = token === "" ? "" : `header = "Authorization: Bearer ${token}"\n`;
      const args = [
        "-s",
        "-X",
        method,
        "-m",
        "10",
        "-o",
        "-",
        "-w",
        "\n%{http_code}",
        "-K",
        "-",
        `http://${to}:${PORT}${path}`,
      ];
      const { stdout } = await execute(
        "ip",
        ["netns", "exec", `margay-${lab.name}-${node}`, "curl", ...args],
        {
          stdin: header,
        },
      );
      const end = stdout.lastIndexOf("\n");
      return `${stdout.slice(end + 1)} ${stdout.slice(0, end)}`;
    };

    it("answers who knows the token, and nobody else", async () => {
      assert.match(await curl("host1", "/metrics"), /^200 # HELP margay_info /);
      for (const token of ["", "0".repeat(32)])
        assert.match(await curl("host1", "/metrics", { token }), /^401 /);
      const listeners = await lab.exec("host1", "ss", "-Hltn", `sport = ${PORT}`);
      assert.match(listeners.trim(), new RegExp(`^LISTEN +\\d+ +\\d+ +127\\.0\\.0\\.1:${PORT} +\\S+$`));
    });

    it("counts a token from when it is written, and the one before no more", async () => {
      const tokenFile = join(dirname(lab.agentSocket("host1")), "api-token");
      const other = "1".repeat(40);
      const status = async (token: string): Promise<string> =>
        (await curl("host1", "/healthz", { token })).slice(0, 3);
      // In its place, as who looks after secrets does it.
      await writeFile(`${tokenFile}.new`, other, { mode: 0o600 });
      await rename(`${tokenFile}.new`, tokenFile);
      await eventually(async () => (await status(other)) === "200", "the other token");
      assert.equal(await status(TOKEN), "401");
      await rm(tokenFile);
      await eventually(async () => (await status(other)) === "401", "nobody to be let in");
      const isTold = async (): Promise<boolean> =>
        /api: .*api-token/.test((await ask("readiness")).degraded.join());
      await eventually(isTold, "the complaint");
      await writeFile(tokenFile, TOKEN, { mode: 0o600 });
      await eventually(async () => (await status(TOKEN)) === "200", "the token");
      assert.equal(await status(other), "401");
      await eventually(
        async () => !(await ask("readiness")).degraded.join().includes("api:"),
        "no complaint",
      );
    });

    it("is not reached from a container, or by the node's other addresses", async () => {
      const { address } = await lab.host("host1");
      for (const [node, to] of [
        ["a", "169.254.1.1"],
        ["a", address],
        ["c", address],
        ["host2", address],
        ["host1", address],
      ] as const)
        assert.match(await curl(node, "/healthz", { to }), /^000 /, `${node} to ${to}`);
    });

    it("is told to be amiss where the token cannot be used, until it can, and leaves the node ready", async () => {
      const directory = dirname(lab.agentSocket("host2"));
      const config = JSON.parse(await readFile(join(directory, "agent.json"), "utf8")) as object;
      const path = join(directory, "agent-with-api.json");
      const tokenFile = join(directory, "api-token");
      await writeFile(path, JSON.stringify({ ...config, api: { port: PORT, tokenFile } }));
      await killAgent(lab, "host2");
      const other = lab.start("host2", MARGAY, "agent", "--config", path);
      try {
        const isDegraded = async (what: RegExp): Promise<boolean> =>
          what.test((await ask("readiness", "host2")).degraded.join());
        await eventually(async () => isUp(), "an agent that answers");
        await eventually(() => isDegraded(/api: .*api-token.*ENOENT|api: ENOENT.*api-token/), "no token");
        await writeFile(tokenFile, TOKEN, { mode: 0o644 });
        await eventually(
          () => isDegraded(/api: Cannot use ".*api-token": others may access it \(mode 644\)/),
          "a bad mode",
        );
        assert.equal((await fetchText("/readyz", "host2"))[0], 200);
        await chmod(tokenFile, 0o600);
        await eventually(
          async () => (await curl("host2", "/healthz")).startsWith("200 "),
          "an answer by TCP",
        );
      } finally {
        other.kill("SIGTERM");
        await once(other, "close");
      }

      async function isUp(): Promise<boolean> {
        return await fetchText("/readyz", "host2").then(
          ([status]) => status === 200,
          () => false,
        );
      }
    });

    it("every line of the log is JSON, with the fields that are documented and no others", async () => {
      const files = ["host1", "host2"].map((host) => join(dirname(lab.agentSocket(host)), "agent.log"));
      const texts = await Promise.all(files.map((file) => readFile(file, "utf8")));
      const lines = [log.slice(0, log.lastIndexOf("\n")), ...texts].flatMap((text) =>
        text.trim().split("\n"),
      );
      assert.ok(lines.length > 10, `${lines.length} lines`);
      for (const line of lines) logLine.parse(JSON.parse(line));
    });

    it("changes nothing, and shows the token nowhere", async () => {
      const stored = await readStore(lab);
      for (const [method, path, status] of [
        ["POST", "/datastore/v1/put", 404],
        ["POST", "/cni", 404],
        ["POST", "/wireguard/rotate", 404],
        ["DELETE", "/api/v1/endpoints", 405],
      ] as const)
        assert.match(await curl("host1", path, { method }), new RegExp(`^${status} `), `${method} ${path}`);
      assert.deepEqual(await readStore(lab), stored);
      assert.equal(JSON.stringify([...stored]).includes(TOKEN), false);
      assert.ok(log.includes("Serving the API"), log);
      assert.equal(log.includes(TOKEN), false);
      const { pid } = await ask("status");
      const file = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, "utf8");
      assert.ok((await file("cmdline")).includes("agent-with-api.json"), "it is the one that was started");
      assert.equal(((await file("cmdline")) + (await file("environ"))).includes(TOKEN), false);
      assert.equal((await fetchText("/api/v1/status"))[1].includes(TOKEN), false);
    });
  });
});
