// SPDX-License-Identifier: Apache-2.0
// Two real BIRDs on one link, each in a network namespace of its own.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Bird, BirdStatus } from "../../src/bird/bird.ts";
import { type BirdInput, renderBirdConfig } from "../../src/bird/config/config.ts";
import { birdFiles } from "../../src/bird/daemon.ts";
import { createBird } from "../../src/bird/supervisor.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { systemClock } from "../../src/system/clock.ts";
import { Conditions } from "../../src/system/conditions.ts";
import { hasCode } from "../../src/system/error-code.ts";
import { silentLog } from "../../src/system/log.ts";
import { type ProcessRunner, systemProcesses } from "../../src/system/process.ts";
import { eventually } from "./harness.ts";
import { PATIENCE_MS } from "./patience.ts";

const ADDRESSES = ["192.168.0.101", "192.168.0.102"] as const;
const BLOCKS = ["10.1.101.0/26", "10.1.102.0/26"] as const;
/** As the kernel shows what BIRD learnt from the other node. */
const LEARNT = [`${BLOCKS[1]} via ${ADDRESSES[1]}`, `${BLOCKS[0]} via ${ADDRESSES[0]}`] as const;

/** The lines of `ip monitor route` in a namespace. */
interface Monitor extends AsyncDisposable {
  /** Forgets what was seen so far. */
  clear(): void;
  /** Resolves once a line that begins with `text` was seen. */
  seen(text: string, signal: AbortSignal): Promise<void>;
  /** Everything up to now about prefixes of containers. */
  lines(signal: AbortSignal): Promise<readonly string[]>;
}

async function createMonitor(netns: string, signal: AbortSignal): Promise<Monitor> {
  const child = spawn("ip", ["-n", netns, "-oneline", "monitor", "route"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const changed = new Conditions();
  let text = "";
  let marks = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    changed.check();
  });
  const all = (): readonly string[] => text.split("\n").map((line) => line.trim());
  const seen = (start: string, signal: AbortSignal): Promise<void> =>
    changed.until(() => all().some((line) => line.startsWith(start)), signal);
  /** Adds and removes a route of ours, which the monitor tells of after everything before it. */
  const mark = (): string => {
    const route = `blackhole 198.18.${++marks >> 8}.${marks & 255}`;
    for (const verb of ["add", "del"]) execFileSync("ip", ["-n", netns, "route", verb, ...route.split(" ")]);
    return route;
  };
  // Until the monitor has subscribed, marks are lost on it.
  const knocking = setInterval(mark, 50);
  await seen("blackhole 198.18.", signal).finally(() => {
    clearInterval(knocking);
  });
  return {
    clear() {
      text = "";
    },
    seen,
    async lines(signal) {
      await seen(mark(), signal);
      return all().filter((line) => /^(Deleted )?10\.1\./.test(line));
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await new Promise((resolve) => child.once("close", resolve));
    },
  };
}

interface Host {
  readonly input: BirdInput;
  readonly directory: string;
  readonly processes: ProcessRunner;
  readonly bird: Bird;
  readonly monitor: Monitor;
  /** Configures BIRD, with changes to what {@link input} says. */
  configure(changes?: Partial<BirdInput>): ReturnType<Bird["configure"]>;
  /** The routes of the kernel under 10.1.0.0/16, as `ip` shows them. */
  routes(): readonly string[];
  ip(command: string): string;
}

interface Network extends AsyncDisposable {
  readonly a: Host;
  readonly b: Host;
}

let count = 0;

/** Two hosts on one link; no BIRD runs yet. Disposing it leaves nothing of them behind. */
async function createNetwork(signal: AbortSignal): Promise<Network> {
  const prefix = `mbd${process.pid}-${++count}`;
  await using stack = new AsyncDisposableStack();
  const [first, second] = [`${prefix}a`, `${prefix}b`];
  for (const netns of [first, second]) createNetns(netns, stack);
  execFileSync("ip", ["-n", first, "link", "add", "eth0", "type", "veth", "peer", "eth0", "netns", second]);
  const a = await createHost(0, first, stack, signal);
  const b = await createHost(1, second, stack, signal);
  const owned = stack.move();
  return { a, b, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function createNetns(netns: string, stack: AsyncDisposableStack): void {
  execFileSync("ip", ["netns", "add", netns]);
  stack.defer(() => {
    execFileSync("ip", ["netns", "del", netns]);
  });
  stack.defer(() => {
    // A BIRD outlives its supervisor, and also a failed test.
    const pids = execFileSync("ip", ["netns", "pids", netns], { encoding: "utf8" })
      .split("\n")
      .filter(Boolean);
    for (const pid of pids) killIfThere(Number(pid));
  });
}

async function createHost(
  index: 0 | 1,
  netns: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Host> {
  const ip = (command: string): string =>
    execFileSync("ip", ["-n", netns, ...command.split(" ")], { encoding: "utf8" });
  ip(`addr add ${ADDRESSES[index]}/24 dev eth0`);
  for (const link of ["lo", "eth0"]) ip(`link set ${link} up`);
  const directory = mkdtempSync(join(tmpdir(), `${netns}-`));
  stack.defer(() => {
    rmSync(directory, { recursive: true });
  });
  const input = inputOf(index, directory);
  const processes: ProcessRunner = {
    run: (command, args, options) =>
      systemProcesses.run("ip", ["netns", "exec", netns, command, ...args], options),
  };
  const bird = stack.use(createBird({ processes, clock: systemClock, log: silentLog }, { directory }));
  const monitor = stack.use(await createMonitor(netns, signal));
  return {
    input,
    directory,
    processes,
    bird,
    monitor,
    configure: (changes) => bird.configure(renderBirdConfig({ ...input, ...changes }), { signal }),
    routes: () =>
      ip("route show root 10.1.0.0/16")
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
    ip,
  };
}

function inputOf(index: 0 | 1, directory: string): BirdInput {
  const other = index === 0 ? 1 : 0;
  return {
    nodeName: `host${index + 1}`,
    routerId: parseIpv4(ADDRESSES[index]),
    asNumber: 64512,
    nodeAddress: parseIpv4(ADDRESSES[index]),
    peers: [{ name: `host${other + 1}`, address: parseIpv4(ADDRESSES[other]), asNumber: 64512 }],
    originated: [parseCidr(BLOCKS[index])],
    poolCidrs: [parseCidr("10.1.0.0/16")],
    programKernel: true,
    gracefulRestartSeconds: 120,
    logFile: birdFiles(directory).log,
  };
}

/** Starts both, and waits until each kernel has the other's route. */
async function connect({ a, b }: Network, signal: AbortSignal): Promise<void> {
  await Promise.all([a.configure(), b.configure()]);
  await Promise.all([a.monitor.seen(LEARNT[0], signal), b.monitor.seen(LEARNT[1], signal)]);
  await Promise.all([a, b].map(({ bird }) => statusWhere(bird, isEstablished, signal)));
}

function isEstablished(status: BirdStatus): boolean {
  return status.kind === "running" && !status.recovering && status.sessions[0]?.state === "Established";
}

function lastErrorOf(status: BirdStatus): string | undefined {
  return status.kind === "running" ? status.sessions[0]?.lastError : undefined;
}

/** The first status from now on, or already now, of which `holds` is true. */
async function statusWhere(
  bird: Bird,
  holds: (status: BirdStatus) => boolean,
  signal: AbortSignal,
): Promise<BirdStatus> {
  const changed = new Conditions();
  let found = bird.status();
  const off = bird.onChange((status) => {
    if (!holds(found)) found = status;
    changed.check();
  });
  try {
    await changed.until(() => holds(found), signal);
    return found;
  } finally {
    off();
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

/** Resolves once it is gone: until then it may still be found running. */
async function killForGood(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await eventually(() => Promise.resolve(!existsSync(`/proc/${pid}`)), `the end of process ${pid}`);
}

function pidOf({ bird }: Host): number {
  const status = bird.status();
  assert.ok(status.kind === "running" && status.pid !== undefined, JSON.stringify(status));
  return status.pid;
}

function test(title: string, body: (network: Network, signal: AbortSignal) => Promise<void>): void {
  it(title, { timeout: PATIENCE_MS }, async ({ signal }) => {
    await using network = await createNetwork(signal);
    await body(network, signal);
  });
}

describe("two BIRDs", () => {
  test("give each kernel the other's block, and not its own", async (network, signal) => {
    await connect(network, signal);
    const [a, b] = [network.a, network.b];
    assert.deepEqual(a.routes(), [`${LEARNT[0]} dev eth0 proto bird metric 32`]);
    assert.deepEqual(b.routes(), [`${LEARNT[1]} dev eth0 proto bird metric 32`]);
  });

  test("tell of their sessions", async (network, signal) => {
    await connect(network, signal);
    const status = await network.a.bird.refresh({ signal });
    assert.ok(status.kind === "running");
    assert.match(status.version, /^[0-9]+\.[0-9]+/);
    assert.equal(status.recovering, false);
    const [session] = status.sessions;
    assert.ok(session !== undefined);
    const { sinceMs, ...rest } = session;
    assert.ok(Math.abs(Date.now() - sinceMs) < 3_600_000, new Date(sinceMs).toISOString());
    assert.deepEqual(rest, {
      name: "mesh_192_168_0_102",
      peer: "192.168.0.102",
      state: "Established",
      imported: 1,
      exported: 1,
      peerRestarting: false,
      lastError: undefined,
      bfd: undefined,
    });
  });

  test("lead packets for a tunnelled pool into the device, and do so again when it was down", async (network, signal) => {
    const { a } = network;
    await connect(network, signal);
    a.ip("link add tun0 type veth peer name tun1");
    for (const link of ["tun0", "tun1"]) a.ip(`link set ${link} up`);
    const through = [parseIpv4(ADDRESSES[1])];
    const pool = { cidr: parseCidr("10.1.0.0/16"), ifName: parseIfName("tun0") };
    const tunnelled = `${LEARNT[0]} dev tun0 proto bird metric 32 onlink`;
    await a.configure({ tunnelled: [{ ...pool, through, without: [] }] });
    await a.monitor.seen(tunnelled.replace(" metric 32 onlink", ""), signal);
    assert.deepEqual(a.routes(), [tunnelled]);
    a.ip("link set tun0 down");
    a.ip("link set tun0 up");
    assert.deepEqual(a.routes(), []);
    a.monitor.clear();
    await a.bird.refillKernel({ signal });
    await a.monitor.seen(LEARNT[0], signal);
    assert.deepEqual(a.routes(), [tunnelled]);
    a.monitor.clear();
    await a.configure({ tunnelled: [{ ...pool, through: [], without: through }] });
    await a.monitor.seen(`Deleted ${LEARNT[0]}`, signal);
    assert.deepEqual(a.routes(), []);
  });

  test("take a new peer, block and address without a restart", async ({ a, b }, signal) => {
    assert.deepEqual(await a.configure({ peers: [], originated: [] }), { kind: "started" });
    assert.deepEqual(await b.configure(), { kind: "started" });
    const pid = pidOf(a);
    assert.deepEqual(await a.configure({ originated: [] }), { kind: "reconfigured" });
    await a.monitor.seen(LEARNT[0], signal);
    // An address borrowed out of the other's block is more specific than it, and both hold.
    const originated = [BLOCKS[0], "10.1.102.7/32"].map(parseCidr);
    assert.deepEqual(await a.configure({ originated }), { kind: "reconfigured" });
    assert.deepEqual(await a.configure({ originated }), { kind: "unchanged" });
    await Promise.all([
      b.monitor.seen(LEARNT[1], signal),
      b.monitor.seen(`10.1.102.7 via ${ADDRESSES[0]}`, signal),
    ]);
    assert.equal(pidOf(a), pid);
  });

  test("believe nothing outside the pools", async ({ a, b }, signal) => {
    const foreign = ["10.1.102.0/26", "10.2.0.0/26"].map(parseCidr);
    const poolCidrs = ["10.1.0.0/16", "10.2.0.0/16"].map(parseCidr);
    await Promise.all([a.configure(), b.configure({ originated: foreign, poolCidrs })]);
    await a.monitor.seen(LEARNT[0], signal);
    assert.equal(a.ip("route show root 10.2.0.0/16"), "");
  });

  test("of different autonomous systems give each other their routes, too", async ({ a, b }, signal) => {
    const [first, second] = [4200000101, 4200000102];
    await Promise.all([
      a.configure({ asNumber: first, peers: a.input.peers.map((peer) => ({ ...peer, asNumber: second })) }),
      b.configure({ asNumber: second, peers: b.input.peers.map((peer) => ({ ...peer, asNumber: first })) }),
    ]);
    await Promise.all([a.monitor.seen(LEARNT[0], signal), b.monitor.seen(LEARNT[1], signal)]);
  });
});

describe("a BIRD that was killed", () => {
  test("is started again, and no kernel loses a route meanwhile", async (network, signal) => {
    await connect(network, signal);
    for (const host of [network.a, network.b]) {
      const pid = pidOf(host);
      for (const { monitor } of [network.a, network.b]) monitor.clear();
      const lost = statusWhere(host.bird, ({ kind }) => kind === "restarting", signal);
      process.kill(pid, "SIGKILL");
      await lost;
      await Promise.all([network.a, network.b].map(({ bird }) => statusWhere(bird, isEstablished, signal)));
      assert.notEqual(pidOf(host), pid);
      for (const { monitor } of [network.a, network.b]) assert.deepEqual(await monitor.lines(signal), []);
    }
  });

  test("drops what its peer gave up meanwhile", async (network, signal) => {
    const { a, b } = network;
    const extra = parseCidr("10.1.102.64/26");
    await Promise.all([a.configure(), b.configure({ originated: [...b.input.originated, extra] })]);
    await Promise.all([a.monitor.seen(LEARNT[0], signal), a.monitor.seen(extra, signal)]);
    await Promise.all([a, b].map(({ bird }) => statusWhere(bird, isEstablished, signal)));
    process.kill(pidOf(a), "SIGKILL");
    await b.configure();
    await a.monitor.seen(`Deleted ${extra}`, signal);
    assert.deepEqual(a.routes(), [`${LEARNT[0]} dev eth0 proto bird metric 32`]);
  });

  test("while no agent looked is recovered by the next one", async (network, signal) => {
    const { a } = network;
    await connect(network, signal);
    const pid = pidOf(a);
    await a.bird[Symbol.asyncDispose]();
    await killForGood(pid);
    a.monitor.clear();
    await using next = createBird({ processes: a.processes, clock: systemClock, log: silentLog }, a);
    assert.deepEqual(await next.configure(renderBirdConfig(a.input), { signal }), { kind: "started" });
    await statusWhere(next, isEstablished, signal);
    assert.deepEqual(await a.monitor.lines(signal), []);
  });
});

describe("the supervision of BIRD", () => {
  test("tells when a session goes and comes", async (network, signal) => {
    const { a, b } = network;
    await connect(network, signal);
    const gone = statusWhere(a.bird, (status) => lastErrorOf(status) !== undefined, signal);
    await b.bird.stop({ signal });
    const status = await gone;
    assert.equal(lastErrorOf(status), "Received: Administrative shutdown");
    assert.equal(isEstablished(status), false);
    const back = statusWhere(a.bird, isEstablished, signal);
    await b.configure();
    await back;
  });

  test("leaves BIRD running when it ends, and the next one takes it over", async (network, signal) => {
    const { a } = network;
    await connect(network, signal);
    const pid = pidOf(a);
    a.monitor.clear();
    await a.bird[Symbol.asyncDispose]();
    await using next = createBird({ processes: a.processes, clock: systemClock, log: silentLog }, a);
    assert.deepEqual(next.status(), { kind: "stopped" });
    const text = renderBirdConfig(a.input);
    assert.deepEqual(await next.configure(text, { signal }), { kind: "unchanged" });
    const status = next.status();
    assert.ok(status.kind === "running");
    assert.equal(status.pid, pid);
    const longer = renderBirdConfig({
      ...a.input,
      originated: [...a.input.originated, parseCidr("10.1.9.0/26")],
    });
    assert.deepEqual(await next.configure(longer, { signal }), { kind: "reconfigured" });
    await network.b.monitor.seen("10.1.9.0/26", signal);
    assert.deepEqual(await a.monitor.lines(signal), []);
  });

  test("keeps BIRD as it is where it refuses a configuration", async (network, signal) => {
    const { a } = network;
    await connect(network, signal);
    const pid = pidOf(a);
    a.monitor.clear();
    const result = await a.bird.configure("router id 1.2.3.4;\nprotocol bgp {\n  nonsense;\n}\n", { signal });
    assert.ok(result.kind === "refused");
    assert.match(result.message, /:3:[0-9]+ syntax error/);
    assert.deepEqual(await a.configure(), { kind: "unchanged" });
    assert.equal(pidOf(a), pid);
    assert.deepEqual(await a.monitor.lines(signal), []);
  });

  test("refuses to start with a bad configuration, and starts with a good one then", async ({
    a,
  }, signal) => {
    const result = await a.bird.configure("nonsense;\n", { signal });
    assert.equal(result.kind, "refused");
    assert.deepEqual(a.bird.status(), { kind: "stopped" });
    assert.deepEqual(await a.configure(), { kind: "started" });
  });

  test("starts past a socket and a pid file that nobody stands behind", async ({ a }, signal) => {
    await a.configure();
    const pid = pidOf(a);
    await a.bird[Symbol.asyncDispose]();
    await killForGood(pid);
    // The number now is someone else's.
    writeFileSync(birdFiles(a.directory).pid, `${process.pid}\n`);
    await using next = createBird({ processes: a.processes, clock: systemClock, log: silentLog }, a);
    assert.deepEqual(await next.configure(renderBirdConfig(a.input), { signal }), { kind: "started" });
  });

  test("replaces a BIRD whose control socket was removed", async ({ a }, signal) => {
    await a.configure();
    const pid = pidOf(a);
    await a.bird[Symbol.asyncDispose]();
    rmSync(birdFiles(a.directory).socket);
    await using next = createBird({ processes: a.processes, clock: systemClock, log: silentLog }, a);
    assert.deepEqual(await next.configure(renderBirdConfig(a.input), { signal }), { kind: "started" });
    const status = next.status();
    assert.ok(status.kind === "running");
    assert.notEqual(status.pid, pid);
  });
});

describe("leaving BGP", () => {
  test("BIRD takes back its own routes and no others", async (network, signal) => {
    const { a, b } = network;
    await connect(network, signal);
    a.ip(`route add ${BLOCKS[1]} via ${ADDRESSES[1]} proto 80`);
    a.ip(`route add blackhole ${BLOCKS[0]} proto 80`);
    b.monitor.clear();
    assert.deepEqual(await a.configure({ programKernel: false }), { kind: "reconfigured" });
    await a.monitor.seen(`Deleted ${LEARNT[0]} dev eth0 proto bird`, signal);
    assert.deepEqual(a.routes(), [`blackhole ${BLOCKS[0]} proto 80`, `${LEARNT[0]} dev eth0 proto 80`]);
    assert.deepEqual(await b.monitor.lines(signal), []);
  });

  test("a stop for good leaves the kernel alone, and has the peer drop the routes", async (network, signal) => {
    const { a, b } = network;
    await connect(network, signal);
    a.monitor.clear();
    await a.bird.stop({ signal });
    assert.deepEqual(a.bird.status(), { kind: "stopped" });
    await b.monitor.seen(`Deleted ${LEARNT[1]}`, signal);
    assert.deepEqual(await a.monitor.lines(signal), []);
    await a.bird.stop({ signal });
  });

  test("a stop as for a restart has the peer keep the routes", async (network, signal) => {
    const { a, b } = network;
    await connect(network, signal);
    for (const { monitor } of [a, b]) monitor.clear();
    await a.bird.stop({ as: "restart", signal });
    await statusWhere(
      b.bird,
      (status) => status.kind === "running" && status.sessions[0]?.peerRestarting === true,
      signal,
    );
    for (const { monitor } of [a, b]) assert.deepEqual(await monitor.lines(signal), []);
  });

  test("a stop ends a BIRD of an earlier agent, too", async ({ a }, signal) => {
    await a.configure();
    await a.bird[Symbol.asyncDispose]();
    await using next = createBird({ processes: a.processes, clock: systemClock, log: silentLog }, a);
    await next.stop({ signal });
    // BIRD removes its socket at an orderly end.
    assert.equal(existsSync(birdFiles(a.directory).socket), false);
  });
});
