// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { container, machine, node, session, tunnel } from "./fixtures.ts";
import { problemsOf } from "./problems.ts";
import { type Topology, healthOf, topologyOf } from "./topology.ts";

const MACHINES = [
  machine("host1", { "192.168.0.101": "rack" }),
  machine("host2", { "192.168.0.102": "rack" }),
  machine("tor", { "192.168.0.1": "rack", "203.0.113.1": "beyond" }, "router"),
];
const NODES = [node("host1"), node("host2")];

function topology(changes: Partial<Parameters<typeof topologyOf>[0]> = {}): Topology {
  return topologyOf({
    machines: MACHINES,
    nodes: NODES,
    containers: [],
    sessions: [],
    tunnels: [],
    ...changes,
  });
}

function titles(changes: Partial<Parameters<typeof topologyOf>[0]>): readonly string[] {
  const { tunnels = [] } = changes;
  return problemsOf({ pools: [], tunnels }, topology(changes)).map(({ title }) => title);
}

describe("a topology", () => {
  it("has containers in their hosts, as people count", () => {
    const { stations } = topology({ containers: [container("c10", "host1"), container("c2", "host1")] });
    assert.deepEqual(
      stations.map(({ name, containers }) => [name, ...containers.map((inside) => inside.name)]),
      [["host1", "c2", "c10"], ["host2"], ["tor"]],
    );
  });

  it("has a station for a node of which no machine is known", () => {
    const { stations } = topology({ machines: [], nodes: [node("far", { machine: null })] });
    assert.deepEqual(
      stations.map(({ id, ports }) => [id, ports]),
      [["far", [{ address: "192.168.0.101", segment: null, interface: null, isUp: null }]]],
    );
  });

  it("has what both ends of a session tell as one pair", () => {
    const { sessions } = topology({
      sessions: [session("host1", "host2"), session("host2", "host1", { state: "Active" })],
    });
    assert.deepEqual(
      sessions.map(({ a, b, ends, isEstablished, isBroken }) => [a, b, ends.length, isEstablished, isBroken]),
      [["host1", "host2", 2, false, true]],
    );
  });

  it("finds the router at the other end of a session by its address", () => {
    const { sessions } = topology({ sessions: [session("host1", null), session("host2", null)] });
    assert.deepEqual(
      sessions.map(({ a, b }) => [a, b]),
      [
        ["host1", "tor"],
        ["host2", "tor"],
      ],
    );
  });

  it("keeps sessions with others that nobody knows apart", () => {
    const { sessions } = topology({
      sessions: [
        session("host1", null, { address: "198.51.100.1" }),
        session("host1", null, { address: "198.51.100.2" }),
      ],
    });
    assert.deepEqual(
      sessions.map(({ b }) => b),
      [null, null],
    );
  });

  it("has both ends of a tunnel as one pair, for each kind", () => {
    const { tunnels } = topology({
      tunnels: [
        tunnel("host1", ["host2"]),
        tunnel("host2", ["host1"], { isUp: false }),
        tunnel("host1", ["host2"], { kind: "wireguard" }),
      ],
    });
    assert.deepEqual(
      tunnels.map(({ kind, ends, isUp }) => [kind, ends.length, isUp]),
      [
        ["vxlan", 2, false],
        ["wireguard", 1, true],
      ],
    );
  });

  it("takes no station for well whose link is down, or whose agent is silent", () => {
    const down = { ...MACHINES[0], ports: [{ ...MACHINES[0]?.ports[0], isUp: false }] };
    const { stations } = topology({
      machines: [down as (typeof MACHINES)[number], ...MACHINES.slice(1)],
      nodes: [node("host1"), node("host2", { isAnswering: false })],
    });
    assert.deepEqual(stations.map(healthOf), ["not", "not", "ready"]);
  });
});

describe("problems", () => {
  it("are none where all is well", () => {
    assert.deepEqual(
      titles({ containers: [container("a", "host1")], sessions: [session("host1", "host2")] }),
      [],
    );
  });

  it("begin with what explains the others, and end with warnings", () => {
    const [host1, ...others] = MACHINES;
    assert.ok(host1 !== undefined);
    const cut = { ...host1, ports: host1.ports.map((port) => ({ ...port, isUp: false })) };
    assert.deepEqual(
      titles({
        machines: [cut, ...others],
        nodes: [
          node("host1", { degraded: ["slow"] }),
          node("host2", { isReady: false, reasons: ["no session"] }),
        ],
        sessions: [session("host2", "host1", { state: "Connect" })],
        tunnels: [tunnel("host2", ["host1"], { isUp: false })],
        containers: [container("a", "host1", { isReady: false, missing: ["its route"] })],
      }),
      [
        "host1: link eth0 is down",
        "host2 is not ready",
        "BGP session host2 – host1 is not established",
        "host2: tunnel VXLAN is down",
        "a on host1 is not ready",
        "host1 is ready, but degraded",
      ],
    );
  });

  it("are told of many containers of a host at once", () => {
    const containers = Array.from({ length: 40 }, (_, index) =>
      container(`c${index}`, "host1", { isReady: false, missing: ["its link"] }),
    );
    assert.deepEqual(titles({ containers }), ["host1: 40 containers are not ready"]);
  });

  it("leave out sessions that nobody wants any more", () => {
    assert.deepEqual(
      titles({ sessions: [session("host1", "host2", { state: "Down", isWanted: false })] }),
      [],
    );
  });

  it("tell of a pool that is nearly full", () => {
    const pool = {
      id: "small",
      name: "small",
      cidr: "10.1.0.0/29",
      blockSize: 29,
      isDisabled: false,
      ipipMode: "Never",
      vxlanMode: "Never",
      addresses: "8",
    };
    const told = (used: number): number =>
      problemsOf({ pools: [{ ...pool, used }], tunnels: [] }, topology()).length;
    assert.deepEqual([told(7), told(8)], [0, 1]);
  });
});
