// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type NodeStatus, nodeCheck, nodeDifferences } from "../../agent/answers.ts";
import { parseIp } from "../../net/ip.ts";
import { type Check, isAmiss } from "../check.ts";
import { SESSION, STATUS } from "../fixtures.ts";
import type { BirdSeen, ClusterSeen, Known, MachineSeen, NodeSeen } from "../observation.ts";
import { judgeAgent } from "./agent.ts";
import { judgeBgp } from "./bgp.ts";
import { judgeCluster } from "./cluster.ts";
import { judgeDifferences } from "./differences.ts";
import { judgeFirewall } from "./firewall.ts";
import { judgeMachine } from "./machine.ts";
import { judgePaths } from "./paths.ts";

function known<T>(value: T): Known<T> {
  return { kind: "known", value };
}
const UNKNOWN = { kind: "unknown", reason: "nobody knows" } as const;

/** `<result> <name>: <what was looked at>` of everything that is not well. */
function notWell(checks: readonly Check[]): readonly string[] {
  return checks
    .filter(({ result }) => result !== "ok")
    .map(({ result, name, lookedAt }) => `${result} ${name}: ${lookedAt}`);
}

describe("an agent", () => {
  const seen = (status: Known<NodeStatus>): NodeSeen => ({
    version: "1.0.0",
    agent: { socket: "/a.sock", status, differences: UNKNOWN, paths: UNKNOWN },
    kernel: UNKNOWN,
    bird: UNKNOWN,
    forwardChains: UNKNOWN,
  });
  it("may be well, silent, unready, degraded or old", () => {
    assert.deepEqual(notWell(judgeAgent(seen(known(STATUS)))), []);
    assert.deepEqual(notWell(judgeAgent(seen(UNKNOWN))), ["fault agent: /a.sock"]);
    const { version, ...old } = { ...STATUS, ready: false, reasons: ["a"], degraded: ["b"], ignored: ["c"] };
    assert.equal(version, "1.0.0");
    assert.deepEqual(notWell(judgeAgent(seen(known(old)))), [
      "fault agent: not ready",
      "warning agent: degraded",
      "warning agent: ignored",
      "warning version: agent and program",
    ]);
  });
});

describe("BIRD", () => {
  const running = (change: object = {}, version = "2.0.12"): Known<BirdSeen> =>
    known({ kind: "running", version, sessions: [{ ...SESSION, ...change }] });
  const rows: readonly (readonly [string, Known<BirdSeen>, NodeStatus | undefined, readonly string[]])[] = [
    ["is well", running(), STATUS, []],
    ["is well, as far as it tells itself", running(), undefined, []],
    ["is of another version", running({}, "3.0.1"), STATUS, ["warning BIRD: version"]],
    [
      "has lost a session",
      running({ state: "Active", lastError: "Socket: Connection refused" }),
      STATUS,
      ['fault BGP session: node "host2" (192.168.0.102)'],
    ],
    [
      "has a session too few",
      running({ peer: parseIp("192.168.0.103") }),
      STATUS,
      ['fault BGP session: node "host2" (192.168.0.102)'],
    ],
    ["has died", known({ kind: "dead", reason: "refused" }), undefined, ["fault BIRD: control socket"]],
    ["is missing", known({ kind: "none" }), STATUS, ["fault BIRD: control socket"]],
    ["is not wanted", known({ kind: "none" }), { ...STATUS, routeSource: "datastore" }, []],
    ["may be missing", known({ kind: "none" }), undefined, ["skipped BIRD: control socket"]],
    ["does not answer", UNKNOWN, STATUS, ["skipped BIRD: control socket"]],
  ];
  for (const [what, bird, status, wanted] of rows)
    it(what, () => {
      assert.deepEqual(notWell(judgeBgp(bird, status)), wanted);
    });
});

it("ways to nodes are too small, or lead nowhere", () => {
  const way = { node: "host2", via: "vxlan", address: "10.1.0.2", bytes: 1450 };
  const report = (...paths: readonly object[]): Known<ReturnType<typeof nodeCheck.parse>> =>
    known(
      nodeCheck.parse({ nodeName: "host1", ok: false, paths: paths.map((path) => ({ ...way, ...path })) }),
    );
  assert.deepEqual(notWell(judgePaths(report({ verdict: "ok" }))), []);
  const checks = judgePaths(
    report(
      { verdict: "tooSmall", found: 1350, remedy: "set it" },
      { verdict: "unreachable", reason: "lost" },
    ),
  );
  const name = "fault path: host2 via vxlan (10.1.0.2)";
  assert.deepEqual(notWell(checks), [name, name]);
  assert.deepEqual(checks[0]?.remedy, { advice: "set it", commands: [] });
  assert.deepEqual(notWell(judgePaths(UNKNOWN)), ["skipped path: all nodes"]);
});

describe("what differs from the desired state", () => {
  const report = (differences: readonly object[], more: object = { unseen: [] }) =>
    judgeDifferences(known(nodeDifferences.parse({ differences, ...more })));
  const difference = (kind: string, key: string, state = "missing") => ({ kind, key, state, what: "add it" });

  it("is nothing on a node that is well, and each group says so", () => {
    assert.deepEqual(notWell(report([])), []);
    assert.equal(report([]).length, 4);
  });
  it("is named one by one", () => {
    const found = report([
      difference("route", "10.1.0.0/26 metric 1024"),
      difference("source", "source check"),
      difference("ipip", "programs", "wrong"),
      difference("peer", "key dev wireguard.cali", "foreign"),
    ]);
    assert.deepEqual(notWell(found), [
      "fault desired route: 10.1.0.0/26 metric 1024",
      "fault desired source: source check",
      "fault desired ipip: programs",
      "fault desired peer: key dev wireguard.cali",
    ]);
    for (const { remedy } of found) assert.match(remedy?.advice ?? "", /agent repairs this by itself/);
    assert.equal(found[0]?.reason, "it is missing: add it");
    assert.match(
      found[1]?.reason ?? "",
      /^it is missing: add it; without it whole, containers may send from/,
    );
  });
  it("may be kept from being seen, kind by kind, or by an agent of another version", () => {
    const unseen = [{ kind: "nat", reason: "no nft" }];
    assert.deepEqual(notWell(report([difference("guard", "guard")], { unseen })), [
      "fault desired guard: guard",
      "skipped desired nat: tables of nftables",
    ]);
    assert.deepEqual(notWell(report([], {})), [
      "skipped desired state: tables of nftables",
      "skipped desired state: IPIP programs",
      "skipped desired state: WireGuard device and peers",
    ]);
    assert.equal(notWell(judgeDifferences(UNKNOWN)).length, 4);
  });
});

it("a firewall's chains drop all that is forwarded, or may", () => {
  const chain = { name: "inet fw forward", letPass: [] };
  const judge = (dropsRest: boolean, acceptsContainers: boolean, mayAccept: boolean): readonly string[] =>
    notWell(judgeFirewall(known([{ ...chain, dropsRest, acceptsContainers, mayAccept }])));
  assert.deepEqual(judge(false, false, true), []);
  assert.deepEqual(judge(true, true, true), []);
  assert.deepEqual(judge(true, false, true), ["warning firewall: inet fw forward"]);
  assert.deepEqual(judge(true, false, false), ["fault firewall: inet fw forward"]);
});

it("a disk is full, NetworkManager manages what is not its own, and nobody keeps the clock", () => {
  const clock = (isKept: boolean) => known({ isKept, maxErrorMs: 12.5 });
  const judge = (free: number, freeFiles: number, more: Partial<MachineSeen> = {}): readonly string[] =>
    notWell(
      judgeMachine({
        disks: [{ directory: "/state", space: known({ free, size: 2 ** 40, freeFiles, files: 10_000 }) }],
        managed: known([]),
        clock: clock(true),
        ...more,
      }),
    );
  assert.deepEqual(judge(2 ** 30, 5000), []);
  assert.deepEqual(judge(2 ** 26, 5000), ["warning disk: /state"]);
  assert.deepEqual(judge(2 ** 20, 5000), ["fault disk: /state"]);
  assert.deepEqual(judge(2 ** 30, 10), ["fault disk: /state"]);
  assert.deepEqual(judge(2 ** 30, 5000, { managed: known(["tunl0"]) }), ["fault NetworkManager: tunl0"]);
  assert.deepEqual(judge(2 ** 30, 5000, { clock: clock(false) }), ["warning clock: synchronisation"]);
  assert.deepEqual(judge(2 ** 30, 5000, { clock: UNKNOWN }), ["skipped clock: synchronisation"]);
});

describe("a cluster", () => {
  const ipam: ClusterSeen["ipam"] = {
    inventory: {
      revision: 1,
      blocks: new Map(),
      claims: [],
      handles: new Map(),
      pools: [],
      nodes: new Set(),
      uses: [],
      unreadable: [],
    },
    findings: [],
  };
  const record = (name: string, address: string, version: string | undefined = "1.0.0") => ({
    name,
    version,
    addresses: [parseIp(address)],
  });
  const nodes = [record("host1", "192.168.0.101"), record("host2", "192.168.0.102")];
  const judge = (change: Partial<ClusterSeen>, self: Partial<NodeStatus> = {}) =>
    notWell(judgeCluster(known({ ipam, nodes, fromTheFuture: [], ...change }), [{ ...STATUS, ...self }]));

  it("is well", () => {
    assert.deepEqual(judge({ fromTheFuture: [{ key: "/a", aheadMs: 900 }] }), []);
  });
  it("has two nodes with one address, and one with none", () => {
    const third = { ...record("host3", "192.168.0.102"), addresses: [] };
    assert.deepEqual(judge({ nodes: [...nodes, record("host9", "192.168.0.102"), third] }), [
      "fault node address: 192.168.0.102",
      "warning node address: host3",
    ]);
  });
  it("has two machines with one name, or none of it", () => {
    const address = { current: "192.168.0.103/24", reason: "as configured" };
    assert.deepEqual(judge({}, { address }), ["fault node name: host1"]);
    assert.deepEqual(judge({}, { nodeName: "host3" }), ["fault node name: host3"]);
    assert.deepEqual(judge({}, { address: null }), []);
  });
  it("has agents of several versions", () => {
    const others = { ...record("other", "192.168.0.104"), version: undefined };
    assert.deepEqual(judge({ nodes: [...nodes, others] }), []);
    assert.deepEqual(judge({ nodes: [...nodes, record("host3", "192.168.0.103", "1.1.0")] }), [
      "warning version: agents of all nodes",
    ]);
  });
  it("has a clock that is slow, or one that is fast", () => {
    assert.deepEqual(judge({ fromTheFuture: [{ key: "/a", aheadMs: 61_000 }] }), [
      "warning clock: times of what is stored",
    ]);
  });
  it("has given an address to two containers, and lost another", () => {
    const [ip, other] = [parseIp("10.1.0.1"), parseIp("10.1.0.2")];
    const findings = [
      { kind: "severalOwners", ip, by: ["a", "b"] },
      { kind: "notAllocated", ip: other, by: "c" },
      { kind: "handleMissing", handleId: "margay.1", ips: [ip] },
    ] as const;
    assert.deepEqual(judge({ ipam: { ...ipam, findings } }), [
      "fault IPAM: 10.1.0.1",
      "fault IPAM: 10.1.0.2",
      "warning IPAM: margay.1",
    ]);
  });
  it("cannot be looked at", () => {
    const [check, ...rest] = judgeCluster(UNKNOWN, []);
    assert.deepEqual([check?.result, check?.reason, rest], ["skipped", "nobody knows", []]);
    assert.ok(check !== undefined && !isAmiss(check));
  });
});
