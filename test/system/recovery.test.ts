// SPDX-License-Identifier: Apache-2.0
// What a host does after parts of it died or were stopped: it takes up what was, and harms nothing that goes on.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { connectStore } from "../../src/datastore/client.ts";
import { callInProcess, callVariables, networkConfig } from "./cni-runtime.ts";
import {
  type Lab,
  type Outcome,
  MARGAY,
  agentStatus,
  callCni,
  createLab,
  eventually,
  execute,
  killAgent,
  killHost,
  lossDuring,
  readStore,
  succeed,
} from "./harness.ts";
import { PATIENCE_MS, PING_PATIENCE_S } from "./patience.ts";
import { watchRoutes } from "./route-watch.ts";

const SMALL_BLOCKS = fileURLToPath(new URL("small-blocks.yaml", import.meta.url));
const THREE_HOSTS = fileURLToPath(new URL("three-hosts.yaml", import.meta.url));

/** The block of four addresses that an address is in. */
function blockOf(address: string): string {
  const [, start = "", last = ""] = /^(.*\.)(\d+)$/.exec(address) ?? [];
  return `${start}${Number(last) & ~3}/30`;
}

async function ping(lab: Lab, from: string, to: string): Promise<void> {
  await lab.exec(from, "ping", "-n", "-c", "3", "-i", "0.05", "-W", PING_PATIENCE_S, await lab.address(to));
}

describe("an agent that was restarted", () => {
  for (const routeSource of ["bird", "datastore"] as const) {
    it(`withdraws nothing that is in use at its first DEL, with routes from ${routeSource}`, async () => {
      await using lab = await createLab({ routeSource, topology: SMALL_BLOCKS });
      const there = (await lab.status()).containers.filter(({ host }) => host === "host2");
      const byBlock = Map.groupBy(there, ({ addresses: [address = ""] }) => blockOf(address));
      assert.ok(byBlock.size > 1, "the host holds several blocks");
      const shared =
        [...byBlock.values()].find(({ length }) => length > 1) ?? assert.fail("no block is shared");
      const leaving = shared.at(-1)?.name ?? "";
      // One container of each block; of the shared one another than the one that goes.
      const [one = "", two = ""] = Array.from(byBlock.values(), ([first]) => first?.addresses[0] ?? "");
      await using watch = await watchRoutes(lab, "host1");
      const restart = async (): Promise<void> => {
        await killAgent(lab, "host2");
        await lab.repair();
        await lab.margay("rm", leaving);
      };
      let other = { sent: 0, lost: 0 };
      const { lost } = await lossDuring(lab, "a", one, async () => {
        other = await lossDuring(lab, "b", two, restart);
      });
      assert.deepEqual([lost, other.lost], [0, 0]);
      assert.deepEqual(await watch.deleted(), []);
    });
  }

  it("switches forwarding on again", async () => {
    await using lab = await createLab({ routeSource: "datastore" });
    const forwarding = "/proc/sys/net/ipv4/ip_forward";
    await killAgent(lab, "host1");
    await lab.exec("host1", "sh", "-c", `echo 0 > ${forwarding}`);
    await lab.repair();
    assert.equal((await lab.exec("host1", "cat", forwarding)).trim(), "1");
    await ping(lab, "a", "d");
  });
});

describe("a host whose agent and BIRD died", () => {
  it("keeps none of BIRD's routes when the cluster has left BIRD meanwhile, and nor does any other", async () => {
    await using lab = await createLab();
    assert.match(await lab.exec("host1", "ip", "route"), /proto bird/);
    await killHost(lab, "host2");
    await lab.margay("up", "--route-source", "datastore");
    for (const host of ["host1", "host2"])
      await eventually(
        async () => !(await lab.exec(host, "ip", "route")).includes("proto bird"),
        `the end of BIRD's routes on ${host}`,
      );
    await ping(lab, "a", "d");
    await ping(lab, "d", "a");
  });

  it("leaves the other hosts ready, which name it, and their containers in touch", async () => {
    await using lab = await createLab({ topology: THREE_HOSTS });
    await killHost(lab, "host3");
    for (const host of ["host1", "host2"]) {
      await eventually(async () => {
        const { ready, reasons, degraded } = await agentStatus(lab, host);
        assert.ok(ready, `${host} is not ready: ${reasons.join("; ")}`);
        return degraded.some((text) => text.includes('"host3"'));
      }, `${host} missing host3`);
      const { degraded } = await agentStatus(lab, host);
      assert.equal(degraded.length, 1, degraded.join("; "));
    }
    await ping(lab, "a", "b");
    await ping(lab, "b", "a");
  });

  it("reaches new containers by the agent's own routes where BIRD cannot run", async () => {
    await using lab = await createLab({ topology: SMALL_BLOCKS });
    const blocksOf = async (host: string): Promise<ReadonlySet<string>> => {
      const { containers } = await lab.status();
      const own = containers.filter((container) => container.host === host);
      return new Set(own.map(({ addresses: [address = ""] }) => blockOf(address)));
    };
    const before = await blocksOf("host2");
    for (const host of ["host1", "host2"]) await killHost(lab, host);
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), `${lab.name}-`));
    stack.defer(() => rm(directory, { recursive: true }));
    await symlink("/bin/false", join(directory, "bird"));
    const env = { ...process.env, PATH: `${directory}:${process.env["PATH"] ?? ""}` };
    // The command waits for a BIRD that never comes; what it started by then goes on without it.
    const up = spawn(MARGAY, ["lab", "up", "--name", lab.name], { env, stdio: "ignore" });
    const upEnded = once(up, "close");
    const isRefused = async (host: string): Promise<boolean> => {
      const { reasons } = await agentStatus(lab, host).catch(() => ({ reasons: [] }));
      return reasons.some((text) => text.includes("BIRD refuses its configuration"));
    };
    try {
      for (const host of ["host1", "host2"])
        await eventually(() => isRefused(host), `${host} telling that BIRD cannot run`);
    } finally {
      up.kill("SIGINT");
      await upEnded;
    }
    // As many as no block that is there has room for.
    const names = ["n1", "n2", "n3", "n4", "n5"];
    for (const name of names) await lab.margay("add", name, "--host", "host2");
    const fresh = [...(await blocksOf("host2"))].filter((block) => !before.has(block));
    assert.notDeepEqual(fresh, []);
    for (const name of names) await ping(lab, "a", name);
    const routes = await lab.exec("host1", "ip", "route");
    for (const block of fresh)
      assert.ok(routes.includes(`${block} via 192.168.0.102 dev eth0 proto 80 `), routes);
  });
});

describe("an agent that is stopped in the midst of its calls", () => {
  it("completes each ADD, or leaves nothing of it that its DEL does not remove", async () => {
    await using lab = await createLab({ routeSource: "datastore" });
    const names = Array.from({ length: 40 }, (_, index) => `${lab.name}s${index}`);
    const call = (command: string, container: string, more?: object): Promise<Outcome> =>
      callCni(networkConfig(lab, more), callVariables(command, container, container));
    /** Without the plugin's start, so that many are under way at once. @returns `undefined` where it failed */
    const addAtOnce = async (container: string): Promise<object | undefined> => {
      const environment = callVariables("ADD", container, container);
      const { code, stdout } = await callInProcess(environment, networkConfig(lab));
      return code === 0 ? (JSON.parse(stdout) as object) : undefined;
    };
    /** The keys and texts in the datastore that name the container. */
    const tracesOf = (store: ReadonlyMap<string, string>, container: string): readonly string[] =>
      [...store].filter((entry) => new RegExp(`${container}\\b`).test(entry.join(" "))).map(([key]) => key);
    await using stack = new AsyncDisposableStack();
    for (const name of names) {
      await succeed("ip", ["netns", "add", name]);
      stack.defer(async () => {
        await execute("ip", ["netns", "del", name]);
      });
    }
    const { agent } = await lab.host("host1");
    const pid = agent?.pid ?? assert.fail("no agent");
    const addByPlugin = async (container: string): Promise<object | undefined> => {
      const { code, stdout } = await call("ADD", container);
      return code === 0 ? (JSON.parse(stdout) as object) : undefined;
    };
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const { revision: after } = await store.list("/calico/ipam/");
    const changes = store.watch("/calico/ipam/", { after, signal: AbortSignal.timeout(PATIENCE_MS) });
    const adding = names.map(async (name, index) => {
      // The plugin takes so long to start that its calls come when the agent is about to end, or has ended.
      const result = await (index < 20 ? addAtOnce(name) : addByPlugin(name));
      return { name, result };
    });
    // An address is being taken, and no container is whole yet.
    for await (const batch of changes) if (batch.length > 0) break;
    process.kill(pid, "SIGTERM");
    const results = await Promise.all(adding);
    await eventually(async () => (await lab.host("host1")).agent === null, "the end of host1's agent");
    await lab.repair();
    const whole = results.filter(({ result }) => result !== undefined);
    const failed = results.filter(({ result }) => result === undefined);
    for (const { name, result } of whole) {
      const { code, stdout } = await call("CHECK", name, { prevResult: result });
      assert.equal(code, 0, stdout);
    }
    for (const { name } of failed) {
      const { code, stdout } = await call("DEL", name);
      assert.equal(code, 0, stdout);
    }
    const left = await readStore(lab);
    for (const { name } of whole) assert.notDeepEqual(tracesOf(left, name), [], `${name} is known`);
    for (const { name } of failed) assert.deepEqual(tracesOf(left, name), [], `nothing is left of ${name}`);
    const links = await lab.exec("host1", "ip", "-br", "link", "show", "type", "veth");
    const nodeEnds = links.split("\n").filter((line) => line.startsWith("cali"));
    assert.equal(nodeEnds.length, whole.length + 2, "the containers of the lab, and those that were added");
  });
});
