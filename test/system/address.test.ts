// SPDX-License-Identifier: Apache-2.0
// How an agent comes to its node's address: a host of several interfaces, and a real agent on it.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { detectAddress } from "../../src/agent/address/detection.ts";
import { readNetwork } from "../../src/agent/address/network.ts";
import { openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { askAgent } from "../../src/agent/client.ts";
import { connectStore } from "../../src/datastore/client.ts";
import { openEmbeddedStore } from "../../src/datastore/embedded.ts";
import { parseAddressSetting } from "../../src/model/address-setting.ts";
import { resourceKey } from "../../src/model/keys.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { MARGAY, eventually, succeed } from "./harness.ts";
import { type Namespace, createNamespace } from "./netlink-harness.ts";
import { PATIENCE_MS } from "./patience.ts";

/** What of the status is looked at. */
interface Told {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly degraded: readonly string[];
  readonly mtu: { readonly underlay: number | null };
  readonly ipv6Address: { readonly current: string; readonly reason: string } | null;
  readonly address: {
    readonly current: string;
    readonly reason: string;
    readonly passedOver: readonly { readonly address: string; readonly reason: string }[];
  } | null;
}

let host: Namespace;
let directory: string;
let agent: ChildProcess | undefined;
let log = "";

beforeEach(async () => {
  host = createNamespace();
  directory = await mkdtemp(join(tmpdir(), "margay-address-"));
  log = "";
});

afterEach(async () => {
  await stopAgent();
  await rm(directory, { recursive: true });
  host[Symbol.dispose]();
});

const at = (name: string): string => join(directory, name);

/** Commands of `ip` on the host, one a line. */
function ip(commands: string): void {
  execFileSync("ip", ["-netns", host.name, "-batch", "-"], { input: commands });
}

/** An interface whose other end has a carrier. */
function interfaceOf(name: string, ...addresses: readonly string[]): string {
  return [
    `link add ${name} type veth peer name p${name}`,
    `link set p${name} up`,
    `link set ${name} up`,
    ...addresses.map((address) => `address add ${address} dev ${name}`),
    "",
  ].join("\n");
}

const DOCKER0 = "link add docker0 type bridge\nlink set docker0 up\naddress add 172.17.0.1/16 dev docker0\n";
const TWO_SUBNETS = interfaceOf("eth1", "10.0.0.5/16") + interfaceOf("eth0", "192.168.0.101/24");
const DEFAULT_ROUTE = "route add default via 192.168.0.1 dev eth0\n";

/** Has the agent bring no BIRD, which would outlive it. */
async function prepareStore(): Promise<void> {
  await using store = openEmbeddedStore({ path: at("store.db") });
  const key = resourceKey("FelixConfiguration", "default");
  const spec = { programClusterRoutes: "Enabled" };
  const metadata = { name: "default" };
  const felix = { apiVersion: "projectcalico.org/v3", kind: "FelixConfiguration", metadata, spec };
  await store.put(key, JSON.stringify(felix));
}

async function startAgent(address?: string, ipv6Address?: string): Promise<void> {
  const config = {
    nodeName: "host1",
    ...(address !== undefined && { address }),
    ...(ipv6Address !== undefined && { ipv6Address }),
    stateDirectory: at("state"),
    socket: at("agent.sock"),
    datastore: { kind: "embedded", path: at("store.db") },
  };
  await writeFile(at("agent.json"), JSON.stringify(config));
  log = "";
  agent = spawn("ip", ["netns", "exec", host.name, MARGAY, "agent", "--config", at("agent.json")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  agent.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
}

async function stopAgent(): Promise<void> {
  if (agent === undefined) return;
  const ended = once(agent, "close");
  if (agent.exitCode === null) agent.kill("SIGTERM");
  await ended;
  agent = undefined;
}

/** Waits until the agent's status is so. */
async function told(isSo: (status: Told) => boolean, what: string): Promise<Told> {
  let status: Told | undefined;
  await eventually(async () => {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    status = (await askAgent(at("agent.sock"), "/status", { signal }).catch(() => undefined)) as
      Told | undefined;
    return status !== undefined && isSo(status);
  }, what).catch((error: unknown) => {
    assert.fail(`${String(error)}: ${JSON.stringify(status)}\n${log}`);
  });
  return status ?? assert.fail();
}

const isWaiting = ({ reasons }: Told): boolean => reasons.some((reason) => reason.startsWith("address: "));
const isReady = ({ ready }: Told): boolean => ready;

/** The address that the Node has in the datastore. */
async function recorded(field: "ipv4Address" | "ipv6Address" = "ipv4Address"): Promise<string | undefined> {
  await using store = connectStore({ socketPath: at("agent.sock") });
  const entry = await store.get(resourceKey("Node", "host1"));
  const node = JSON.parse(entry?.value ?? assert.fail("no Node")) as {
    spec: { bgp?: { ipv4Address?: string; ipv6Address?: string } };
  };
  return node.spec.bgp?.[field];
}

describe("detection on a host of several interfaces", () => {
  const rows: readonly (readonly [method: string, address: string | undefined])[] = [
    ["first-found", "192.168.0.101/24"],
    ["can-reach=192.168.0.1", "192.168.0.101/24"],
    ["can-reach=8.8.8.8", "192.168.0.101/24"],
    ["can-reach=10.0.9.9", "10.0.0.5/16"],
    // By a rule, which no listing of the main table shows.
    ["can-reach=203.0.113.9", "10.0.0.5/16"],
    ["can-reach=10.0.0.5", "10.0.0.5/16"],
    ["can-reach=198.51.100.1", undefined],
    ["interface=^eth1$", "10.0.0.5/16"],
    ["interface=docker.*", "172.17.0.1/16"],
    ["interface=eth9", undefined],
    ["skip-interface=^eth0$", "10.0.0.5/16"],
    ["skip-interface=eth", undefined],
    ["cidr=10.0.0.0/8", "10.0.0.5/16"],
    ["cidr=172.16.0.0/12", undefined],
  ];

  it("chooses by each method what the kernel's own listings and lookups say", async () => {
    ip("link set lo up\n" + DOCKER0 + TWO_SUBNETS + DEFAULT_ROUTE);
    ip("address add 192.168.0.102/24 dev eth0\naddress add 192.168.0.200/32 dev eth0 label eth0:vip\n");
    ip("route add unreachable 198.51.100.0/24\n");
    ip("rule add to 203.0.113.0/24 lookup 100\nroute add 203.0.113.0/24 via 10.0.0.1 dev eth1 table 100\n");
    await using rtnetlink = openRtnetlink({ netns: host.netns });
    const { signal } = new AbortController();
    for (const [text, address] of rows) {
      const method = parseAddressSetting(text);
      assert.ok(method.kind !== "fixed");
      const { found } = detectAddress(
        method,
        await readNetwork(rtnetlink, { setting: method, family: 4 }, { signal }),
      );
      assert.equal(found?.address, address, text);
    }
    const first = { kind: "first-found" } as const;
    const { passedOver } = detectAddress(
      first,
      await readNetwork(rtnetlink, { setting: first, family: 4 }, { signal }),
    );
    assert.deepEqual(passedOver.map((other) => [other.address, other.interface]).sort(), [
      ["10.0.0.5/16", "eth1"],
      ["172.17.0.1/16", "docker0"],
      ["192.168.0.102/24", "eth0"],
      ["192.168.0.200/32", "eth0"],
    ]);
    assert.equal(
      passedOver.find((other) => other.address === "192.168.0.102/24")?.reason,
      "it is a secondary address",
    );
  });

  it("finds nothing in a namespace that has never had a route", async () => {
    await using rtnetlink = openRtnetlink({ netns: host.netns });
    const method = { kind: "can-reach", ip: parseIpv4("192.0.2.1") } as const;
    const network = await readNetwork(rtnetlink, { setting: method, family: 4 }, new AbortController());
    assert.deepEqual(detectAddress(method, network), { family: 4, found: undefined, passedOver: [] });
  });
});

describe("an agent that finds its address", () => {
  beforeEach(prepareStore);

  it("waits until there is one, says so, and keeps it when it goes away", async () => {
    ip("link set lo up\n" + DOCKER0);
    await startAgent();
    const none = "address: waiting: first-found finds none";
    const waiting = await told(isWaiting, "what is waited for");
    assert.deepEqual(waiting.reasons, [
      `${none} (172.17.0.1/16 on docker0: docker0 is Docker's, by its name)`,
    ]);
    assert.equal(waiting.address, null);
    ip(interfaceOf("eth0"));
    ip("address add 192.168.0.101/24 dev eth0\n");
    const ready = await told(isReady, "the address");
    assert.equal(ready.address?.current, "192.168.0.101/24");
    assert.equal(await recorded(), "192.168.0.101/24");
    const text = await succeed(MARGAY, ["node", "status", "--socket", at("agent.sock")]);
    const line = "192.168.0.101/24 (first-found: eth0 is the only interface with an address to take)";
    assert.ok(text.includes(`\nAddress:\n  ${line}\n`), text);

    ip(interfaceOf("eth1", "10.0.0.5/16") + "address delete 192.168.0.101/24 dev eth0\n");
    const gone = /^address: no interface has 192\.168\.0\.101 any more; put it back/m;
    await told(({ ready, reasons }) => !ready && gone.test(reasons.join("\n")), "the loss");
    assert.equal(await recorded(), "192.168.0.101/24");
    ip("address add 192.168.0.101/24 dev eth0\n");
    const back = await told(isReady, "the address again");
    assert.equal(back.address?.current, "192.168.0.101/24");
  });

  it("keeps the recorded address while an interface has it, until somebody accepts the other", async () => {
    ip("link set lo up\n" + TWO_SUBNETS + DEFAULT_ROUTE);
    await startAgent();
    await told(isReady, "the first start");
    assert.equal(await recorded(), "192.168.0.101/24");
    await stopAgent();

    ip("link set eth1 mtu 1400\n");
    const other = "route replace default via 10.0.0.1 dev eth1\n";
    ip(other);
    await startAgent();
    const kept = await told(isReady, "the second start");
    assert.equal(kept.address?.current, "192.168.0.101/24");
    assert.match(
      kept.degraded.join("\n"),
      /^address: 10\.0\.0\.5\/16 is what would be taken now .* keeps 192\.168\.0\.101\/24.* delete spec\.bgp\.ipv4Address of the Node "host1"/,
    );
    ip("route replace default via 192.168.0.1 dev eth0\n");
    await told(({ degraded }) => degraded.length === 0, "that both agree");
    await stopAgent();

    ip(other);
    await startAgent();
    await told(({ ready, degraded }) => ready && degraded.length === 1, "the third start");
    const patch = '{"spec": {"bgp": {"ipv4Address": null}}}';
    await succeed(MARGAY, ["patch", "node", "host1", "--patch", patch, "--socket", at("agent.sock")]);
    const accepted = await told(({ degraded }) => degraded.length === 0, "the other address");
    assert.equal(accepted.address?.current, "10.0.0.5/16");
    await eventually(async () => (await recorded()) === "10.0.0.5/16", "the record of the other");
    await told(({ mtu }) => mtu.underlay === 1400, "the other's underlay");
  });

  it("takes another where the recorded one is gone from the machine, and warns of both", async () => {
    ip("link set lo up\n" + TWO_SUBNETS + DEFAULT_ROUTE);
    await startAgent();
    await told(isReady, "the first start");
    await stopAgent();

    ip("address delete 192.168.0.101/24 dev eth0\n");
    await startAgent();
    const { address, degraded } = await told(isReady, "the second start");
    const gone = "192.168.0.101/24, which is recorded, is on no interface";
    assert.equal(address?.current, "10.0.0.5/16");
    assert.ok(address.reason.endsWith(gone), address.reason);
    assert.deepEqual(degraded, []);
    // It comes by a way of its own.
    const isLogged = (): boolean =>
      log.includes(`"The node's address is now 10.0.0.5/16 (`) && log.includes(gone);
    await eventually(() => Promise.resolve(isLogged()), "a line of the log");
    assert.equal(await recorded(), "10.0.0.5/16");
  });

  it("that is explicit registers it, and waits for an interface to have it", async () => {
    ip("link set lo up\n" + interfaceOf("eth0"));
    await startAgent("192.168.0.101/24");
    const { reasons } = await told(isWaiting, "the address that is configured");
    assert.deepEqual(reasons, ["address: waiting: no interface has 192.168.0.101"]);
    assert.equal(await recorded(), "192.168.0.101/24");
    ip("address add 192.168.0.101/24 dev eth0\n");
    const { address } = await told(isReady, "the interface");
    assert.equal(address?.reason, "set in the configuration");
  });

  it("does without one of IPv6 until there is one, says so, and records it then", async () => {
    ip("link set lo up\n" + interfaceOf("eth0", "192.168.0.101/24"));
    await startAgent(undefined, "first-found");
    const without = await told(isReady, "the start");
    assert.match(without.degraded.join("\n"), /^ipv6Address: waiting: first-found finds none \(/);
    assert.equal(without.ipv6Address, null);
    assert.equal(await recorded("ipv6Address"), undefined);
    ip("address add fd00:1::101/64 dev eth0 nodad\n");
    const having = await told(({ degraded }) => degraded.length === 0, "the address");
    assert.equal(having.ipv6Address?.current, "fd00:1::101/64");
    await eventually(async () => (await recorded("ipv6Address")) === "fd00:1::101/64", "the record");
    assert.equal(await recorded(), "192.168.0.101/24");

    ip("address delete fd00:1::101/64 dev eth0\n");
    const gone = await told(({ degraded }) => degraded.length > 0, "the loss");
    assert.deepEqual([gone.ready, gone.degraded], [true, ["ipv6Address: no interface has fd00:1::101"]]);
    ip("address add fd00:1::101/64 dev eth0 nodad\n");
    await told(({ degraded }) => degraded.length === 0, "the address again");
  });

  it("keeps the recorded one of IPv6, and leaves it to others where it looks for none", async () => {
    ip("link set lo up\n" + interfaceOf("eth0", "192.168.0.101/24", "fd00:1::101/64 nodad"));
    await startAgent(undefined, "first-found");
    await told(({ ipv6Address }) => ipv6Address?.current === "fd00:1::101/64", "the first start");
    await stopAgent();

    ip(interfaceOf("eth1", "fd00:2::5/64 nodad") + "route add default via fd00:2::1 dev eth1\n");
    await startAgent(undefined, "first-found");
    const kept = await told(isReady, "the second start");
    assert.equal(kept.ipv6Address?.current, "fd00:1::101/64");
    assert.match(
      kept.degraded.join("\n"),
      /^ipv6Address: fd00:2::5\/64 is what would be taken now .* keeps fd00:1::101\/64.* delete spec\.bgp\.ipv6Address/,
    );
    const patch = '{"spec": {"bgp": {"ipv6Address": null}}}';
    await succeed(MARGAY, ["patch", "node", "host1", "--patch", patch, "--socket", at("agent.sock")]);
    await eventually(async () => (await recorded("ipv6Address")) === "fd00:2::5/64", "the other address");
    await stopAgent();

    await startAgent();
    const left = await told(isReady, "the third start");
    assert.deepEqual([left.ipv6Address, await recorded("ipv6Address")], [null, "fd00:2::5/64"]);
  });

  it("by a method that cannot be says so in one line", async () => {
    await startAgent("can-reach=www.example.com");
    assert.ok(agent);
    const [code] = (await once(agent, "close")) as [number];
    agent = undefined;
    assert.equal(code, 1);
    const fault =
      'address: Cannot use can-reach of "www.example.com": want an IPv4 address; names are not looked up';
    assert.ok(log.startsWith(`margay: Cannot use agent configuration "${at("agent.json")}": ${fault}`), log);
    assert.equal(log.trimEnd().split("\n").length, 1);
  });
});
