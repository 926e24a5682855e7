// SPDX-License-Identifier: Apache-2.0
// A lab's life: made, completed, shared, interrupted, crashed and removed, each time without a trace.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import type { LabStatus } from "../../src/lab/lab.ts";
import { type Outcome, MARGAY, eventually, execute, succeed } from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";

const NAME = `life${process.pid}`;
const OTHER = `other${process.pid}`;

function margay(command: string, ...args: readonly string[]): Promise<Outcome> {
  return execute(MARGAY, ["lab", command, "--name", NAME, ...args]);
}

async function must(command: string, ...args: readonly string[]): Promise<string> {
  return await succeed(MARGAY, ["lab", command, "--name", NAME, ...args]);
}

async function statusOf(name = NAME): Promise<LabStatus> {
  return JSON.parse(await succeed(MARGAY, ["lab", "status", "--json", "--name", name])) as LabStatus;
}

function namespacesOf(name: string): readonly string[] {
  if (!existsSync("/run/netns")) return [];
  return readdirSync("/run/netns").filter((entry) => entry.startsWith(`margay-${name}-`));
}

/** Processes that name the lab, or that run in the given namespaces. */
function processesOf(name: string, netnsIds: readonly string[] = []): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const isAgent = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`/run/margay/lab/${name}/`);
      return isAgent || netnsIds.includes(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      return false;
    }
  });
}

interface HeldNamespaces extends Disposable {
  readonly ids: readonly string[];
}

/** Held until it is disposed of: the kernel gives the number of a namespace that is gone to the next, which may be another test's. */
function holdNamespacesOf(name: string): HeldNamespaces {
  const fds = namespacesOf(name).map((entry) => openSync(`/run/netns/${entry}`, "r"));
  return {
    ids: fds.map((fd) => `net:[${fstatSync(fd).ino}]`),
    [Symbol.dispose]() {
      for (const fd of fds) closeSync(fd);
    },
  };
}

function assertNoTrace(name: string, netnsIds: readonly string[] = []): void {
  assert.deepEqual(namespacesOf(name), []);
  assert.deepEqual(processesOf(name, netnsIds), []);
  assert.equal(existsSync(`/run/margay/lab/${name}`), false);
}

/** All that a lab must leave alone: the network of the machine itself. */
async function machineNetwork(): Promise<readonly string[]> {
  const views = [
    ["-o", "link"],
    ["-o", "address"],
    ["route", "show", "table", "all"],
    ["rule"],
    // The machine's own conversations bring others, and let go of them.
    ["neighbour", "show", "nud", "permanent"],
  ];
  const outputs = await Promise.all(views.map((view) => succeed("ip", view)));
  const sysctls = ["ip_forward", "conf/all/rp_filter", "conf/default/forwarding", "conf/all/proxy_arp"];
  return [
    ...outputs.map(withoutLifetimes),
    ...sysctls.map((key) => readFileSync(`/proc/sys/net/ipv4/${key}`, "utf8")),
  ];
}

/** They change by themselves. */
function withoutLifetimes(text: string): string {
  return text.replaceAll(/(_lft|expires) \d+sec/g, "$1");
}

/** Starts a lab command, and waits until it has said `line` on standard error. */
async function startUntil(line: string, command: string, env = process.env): Promise<ChildProcess> {
  const child = spawn(MARGAY, ["lab", command, "--name", NAME], { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  // Leaving the loop closes the pipe: the command must clean up even when nobody hears it any more.
  for await (const text of child.stderr.setEncoding("utf8")) {
    said += String(text);
    if (said.includes(line)) return child;
  }
  return assert.fail(`it never said "${line}": ${said}`);
}

async function endOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}

describe("a lab", () => {
  let machine: readonly string[];
  before(async () => {
    machine = await machineNetwork();
    await must("up");
  });
  after(async () => {
    await must("down");
  });

  it("leaves the machine's own network alone", async () => {
    assert.deepEqual(await machineNetwork(), machine);
  });

  it("has status, addresses and exit codes for scripts", async () => {
    const { hosts, containers } = await statusOf();
    assert.deepEqual(
      hosts.map(({ name, address, netns }) => ({ name, address, netns })),
      [
        { name: "host1", address: "192.168.0.101", netns: `margay-${NAME}-host1` },
        { name: "host2", address: "192.168.0.102", netns: `margay-${NAME}-host2` },
      ],
    );
    assert.deepEqual(
      containers.map(({ name, host }) => `${name} ${host}`),
      ["a host1", "b host1", "c host2", "d host2"],
    );
    for (const { agent, bird } of hosts) assert.ok(agent !== null && bird !== null);
    const [a] = containers;
    assert.equal(await must("ip", "a"), `${a?.addresses[0] ?? ""}\n`);
    assert.match(await must("exec", "a", "--", "ip", "-o", "address", "show", "eth0"), /inet 10\.1\./);
    assert.match(
      await must("exec", "host1", "--", "ip", "link", "show", a?.interface ?? ""),
      /ee:ee:ee:ee:ee:ee/,
    );
    assert.equal((await margay("exec", "b", "--", "sh", "-c", "exit 7")).code, 7);
    assert.equal((await margay("exec", "nobody", "--", "true")).code, 1);
  });

  it("keeps what runs when it is brought up again", async () => {
    const first = await statusOf();
    await must("up");
    assert.deepEqual(await statusOf(), first);
  });

  it("is changed by one command at a time", async () => {
    const first = await statusOf();
    const outcomes = await Promise.all([margay("up"), margay("up"), margay("add", "x", "--host", "host2")]);
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [0, 0, 0],
    );
    await must("rm", "x");
    assert.deepEqual(await statusOf(), first);
  });

  it("gets dead agents and lost containers back", async () => {
    const { hosts } = await statusOf();
    for (const { agent } of hosts) process.kill(agent?.pid ?? assert.fail("no agent"), "SIGKILL");
    await eventually(
      async () => (await statusOf()).hosts.every(({ agent }) => agent === null),
      "dead agents",
    );
    const refused = await margay("add", "x", "--host", "host1");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Cannot reach the Margay agent.*"margay lab up --name .*" starts an agent/);
    await succeed("ip", ["netns", "delete", `margay-${NAME}-c`]);
    await must("up");
    const repaired = await statusOf();
    assert.ok(repaired.hosts.every(({ agent }) => agent !== null));
    assert.deepEqual(namespacesOf(NAME).length, 7);
    await must("check");
  });

  it("takes a new route source while it runs, and has no BIRD without need", async () => {
    await must("up", "--route-source", "datastore");
    assert.ok((await statusOf()).hosts.every(({ bird }) => bird === null));
    await must("check");
    await must("up", "--route-source", "bird");
    assert.ok((await statusOf()).hosts.every(({ bird }) => bird !== null));
    await must("check");
  });

  it("gives a container's name back when it is removed", async () => {
    await must("add", "x", "--host", "host1");
    assert.equal((await margay("add", "x", "--host", "host2")).code, 1);
    await must("rm", "x");
    assert.equal((await margay("rm", "x")).code, 1);
    await must("add", "x", "--host", "host2");
    assert.equal((await statusOf()).containers.find(({ name }) => name === "x")?.host, "host2");
    await must("rm", "x");
  });

  it("is refused to those who want to run one of its name, and stays", async () => {
    const first = await statusOf();
    const { code, stderr } = await margay("run", "--once");
    assert.equal(code, 1);
    assert.match(stderr, /it is up already/);
    assert.deepEqual(await statusOf(), first);
  });

  it("stands beside another, and outlives it", async () => {
    await succeed(MARGAY, ["lab", "up", "--name", OTHER]);
    try {
      await Promise.all([must("check"), succeed(MARGAY, ["lab", "check", "--name", OTHER])]);
    } finally {
      await succeed(MARGAY, ["lab", "down", "--name", OTHER]);
    }
    assertNoTrace(OTHER);
    await must("check");
  });
});

describe("lab check", () => {
  before(async () => {
    await must("up");
  });
  after(async () => {
    await must("down");
  });

  async function check(): Promise<{ code: number; stdout: string }> {
    return await margay("check");
  }

  it("fails where a container cannot be reached, and says which", async () => {
    await must("exec", "b", "--", "ip", "link", "set", "eth0", "down");
    const { code, stdout } = await check();
    assert.equal(code, 1);
    assert.match(stdout, /^ {2}a -> b: nothing arrived$/m);
    assert.doesNotMatch(stdout, /a -> [cd]:/);
    await must("rm", "b");
    await must("add", "b", "--host", "host1");
    assert.equal((await check()).code, 0);
  });

  it("fails where a source address is translated, and says which", async () => {
    const rules =
      "add table ip t; add chain ip t p { type nat hook postrouting priority 100; }; add rule ip t p";
    await must(
      "exec",
      "host1",
      "--",
      "nft",
      `${rules} ip saddr ${(await must("ip", "a")).trim()} masquerade`,
    );
    const { code, stdout } = await check();
    assert.equal(code, 1);
    assert.match(stdout, /a -> c: the receiver saw 192\.168\.0\.101, which is not a's address/);
    await must("exec", "host1", "--", "nft", "delete", "table", "ip", "t");
  });
});

describe("a lab's end", () => {
  const PATH = process.env["PATH"] ?? "";
  /** A folder with a BIRD that never comes up. */
  let endless: string;
  before(async () => {
    endless = await mkdtemp(join(tmpdir(), "margay-bird-"));
    await writeFile(join(endless, "bird"), "#!/bin/sh\nexec sleep 1000\n", { mode: 0o755 });
  });
  after(async () => {
    await rm(endless, { recursive: true });
  });
  afterEach(async () => {
    await must("down");
  });

  it("leaves nothing, and can be repeated", async () => {
    await must("up");
    using held = holdNamespacesOf(NAME);
    const sleeper = spawn("ip", ["netns", "exec", `margay-${NAME}-a`, "sleep", "1000"], { detached: true });
    sleeper.unref();
    const isThere = (): boolean =>
      readFileSync(`/proc/${sleeper.pid ?? assert.fail()}/cmdline`, "utf8") === "sleep\0" + "1000\0";
    await eventually(() => Promise.resolve(isThere()), "a process in there");
    assert.deepEqual(JSON.parse(await must("down", "--json")), { removed: true });
    assertNoTrace(NAME, held.ids);
    assert.deepEqual(JSON.parse(await must("down", "--json")), { removed: false });
    assert.equal((await margay("status")).code, 1);
  });

  for (const moment of ["wiring", "starting the agents", "waiting for routes"]) {
    it(`cleans up after itself when interrupted while it says "${moment}"`, async () => {
      // It would be through before it is interrupted, now and then.
      const child = await startUntil(moment, "up", { ...process.env, PATH: `${endless}:${PATH}` });
      using held = holdNamespacesOf(NAME);
      child.kill("SIGINT");
      assert.equal(await endOf(child), 130);
      assertNoTrace(NAME, held.ids);
    });

    it(`leaves nothing when the lab was killed while it said "${moment}"`, async () => {
      const child = await startUntil(moment, "up");
      child.kill("SIGKILL");
      await endOf(child);
      using held = holdNamespacesOf(NAME);
      await must("down");
      assertNoTrace(NAME, held.ids);
    });
  }

  it("is no obstacle to the next lab where there was only a crash", async () => {
    const child = await startUntil("attaching", "up");
    child.kill("SIGKILL");
    await endOf(child);
    await must("up");
    await must("check");
  });

  it("comes also where the state file is half written", async () => {
    await must("up", "--route-source", "datastore");
    const file = `/run/margay/lab/${NAME}/state.json`;
    await writeFile(file, readFileSync(file, "utf8").slice(0, 100));
    const { code, stderr } = await margay("status");
    assert.equal(code, 1);
    assert.match(stderr, /is damaged; remove the lab with "margay lab down/);
    await must("down");
    assertNoTrace(NAME);
  });

  it("comes by Ctrl-C where the lab lasts as long as its command", async () => {
    const child = await startUntil("in a browser of this machine:\n  http://127.0.0.1:", "run");
    using held = holdNamespacesOf(NAME);
    assert.ok(held.ids.length > 0);
    child.kill("SIGINT");
    assert.equal(await endOf(child), 0);
    assertNoTrace(NAME, held.ids);
  });

  it("comes by itself after a report, where that was asked for", async () => {
    const { code, stdout } = await margay("run", "--once");
    assert.equal(code, 0);
    assert.match(stdout, /16 of 16 pairs reach each other\. No source address was translated\./);
    assert.match(stdout, /Routes of host1:\n(.*\n)*Routes of host2:\n/);
    assertNoTrace(NAME);
  });
});

describe("a topology file", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "margay-"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });

  async function write(name: string, text: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  }

  it("with a fault changes nothing", async () => {
    const file = await write(
      "overlap.yaml",
      `underlay: { segments: [{ name: net0, cidr: 10.1.0.0/24 }] }
hosts: [{ name: host1, address: 10.1.0.1 }]
pools: [{ name: pool, cidr: 10.1.0.0/16 }]
`,
    );
    const { code, stderr } = await margay("up", "--topology", file);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^margay: Cannot use topology ".*": .*overlaps segment "net0" \("10\.1\.0\.0\/24"\)\n$/,
    );
    assertNoTrace(NAME);
  });

  it("may have routers between segments, which know nothing of containers", async () => {
    const file = await write(
      "routed.yaml",
      `underlay:
  segments: [{ name: net0, cidr: 192.168.0.0/24 }, { name: net1, cidr: 192.168.1.0/24 }]
  routers: [{ name: r1, addresses: [192.168.0.1, 192.168.1.1] }]
hosts: [{ name: host1, address: 192.168.0.101 }, { name: host2, address: 192.168.1.102 }]
containers: [{ name: a, host: host1 }, { name: b, host: host2 }]
pools: [{ name: pool, cidr: 10.1.0.0/16 }]
`,
    );
    try {
      await must("up", "--topology", file);
      assert.match(
        await must("exec", "host1", "--", "ping", "-c", "1", "-W", PING_PATIENCE_S, "192.168.1.102"),
        / ttl=63 /,
      );
      await assert.rejects(
        must("up", "--topology", await write("empty.yaml", "hosts: []")),
        /Cannot use topology/,
      );
      const router = await succeed("ip", ["-n", `margay-${NAME}-r1`, "route"]);
      assert.doesNotMatch(router, /10\.1\./);
    } finally {
      await must("down");
    }
    assertNoTrace(NAME);
  });
});
