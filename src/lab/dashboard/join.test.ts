// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIpv4 } from "../../net/ipv4.ts";
import {
  EMPTY_VIEW,
  blockItem,
  containerItem,
  machineItem,
  nodeItem,
  sessionItem,
  tunnelItem,
} from "../../web/view/view-fixtures.ts";
import { type View, viewSchema } from "../../web/view/view.ts";
import { unwrap } from "../../model/issue.ts";
import { parseTopology } from "../topology.ts";
import { type AgentPart, type LabInputs, joinViews, labsPart } from "./join.ts";

const TOPOLOGY = unwrap(
  parseTopology({
    underlay: {
      segments: [
        { name: "rack", cidr: "192.168.0.0/24" },
        { name: "beyond", cidr: "203.0.113.0/24" },
      ],
      routers: [{ name: "tor", addresses: ["192.168.0.1", "203.0.113.1"] }],
    },
    hosts: [
      { name: "host1", address: "192.168.0.101" },
      { name: "host2", address: "192.168.0.102" },
    ],
    machines: [{ name: "client", address: "203.0.113.10" }],
    pools: [{ name: "pool", cidr: "10.1.0.0/16" }],
  }),
  "topology",
);

/** What the agent of a host tells: itself, the other host by its record, one container, and a router that it speaks with. */
function viewOf(host: string): View {
  const other = host === "host1" ? "host2" : "host1";
  return {
    ...EMPTY_VIEW,
    name: host,
    segments: [{ id: "192.168.0.0/24", name: "192.168.0.0/24", cidr: "192.168.0.0/24" }],
    machines: [machineItem(true, { id: host, name: host })],
    nodes: [
      nodeItem({ id: host, machine: host }),
      nodeItem({ id: other, isOwn: false, isReady: null, isAnswering: null }),
      nodeItem({ id: "gone", machine: "gone", isOwn: false, isReady: null, isAnswering: null }),
    ],
    containers: [containerItem({ id: `${host}/cali1`, name: `of-${host}`, node: host })],
    sessions: [
      sessionItem({ id: `${host}/192.168.0.1`, from: host, to: null, address: "192.168.0.1" }),
      sessionItem({ id: `${host}/192.168.0.9`, from: host, to: null, address: "192.168.0.9" }),
    ],
    tunnels: [tunnelItem({ id: `${host}/vxlan`, node: host })],
    blocks: [blockItem()],
    counters: [{ id: `${host}/eth0`, rxPackets: 1, rxBytes: 2, txPackets: 3, txBytes: 4 }],
  };
}

const answering = (host: string): AgentPart => ({ view: viewOf(host), isAnswering: true });

function inputs(agents: Readonly<Record<string, AgentPart>>, more: Partial<LabInputs> = {}): LabInputs {
  const all = new Map(Object.entries(agents));
  return { topology: TOPOLOGY, containers: [], agents: all, isUp: () => true, counters: [], ...more };
}

const BOTH = { host1: answering("host1"), host2: answering("host2") };

describe("the view of a whole lab", () => {
  it("has what its agents tell, each of its own node, and is a view", () => {
    const joined = joinViews(inputs(BOTH));
    const head = { scope: "lab", name: "lab", version: "0.1.0", at: 0 } as const;
    assert.deepEqual(viewSchema.parse({ ...head, ...joined }), { ...head, ...joined });
    assert.deepEqual(
      joined.nodes.map(({ id, machine, isOwn, isAnswering }) => [id, machine, isOwn, isAnswering]),
      [
        ["gone", null, false, null],
        ["host1", "host1", true, true],
        ["host2", "host2", true, true],
      ],
    );
    assert.deepEqual(
      joined.containers.map(({ name, node }) => `${name} ${node}`),
      ["of-host1 host1", "of-host2 host2"],
    );
    assert.deepEqual(
      joined.counters.map(({ id }) => id),
      ["host1/eth0", "host2/eth0"],
    );
    assert.equal(joined.blocks.length, 1);
  });

  it("has the lab's own machines, wired as it has wired them", () => {
    const { segments, machines } = joinViews(
      inputs(BOTH, { isUp: (machine, ifName) => machine !== "tor" || ifName === "eth0" }),
    );
    assert.deepEqual(
      segments.map(({ id, cidr }) => [id, cidr]),
      [
        ["beyond", "203.0.113.0/24"],
        ["rack", "192.168.0.0/24"],
      ],
    );
    assert.deepEqual(
      machines.map(({ id, kind, ports }) => [
        id,
        kind,
        ports.map((port) => `${port.segment} ${port.interface} ${port.address} ${port.isUp}`),
      ]),
      [
        ["client", "outside", ["beyond eth0 203.0.113.10 true"]],
        ["host1", "host", ["rack eth0 192.168.0.101 true"]],
        ["host2", "host", ["rack eth0 192.168.0.102 true"]],
        ["tor", "router", ["rack eth0 192.168.0.1 true", "beyond eth1 203.0.113.1 false"]],
      ],
    );
  });

  it("knows a router by its address", () => {
    const { sessions } = joinViews(inputs(BOTH));
    const to = new Map(sessions.map((session) => [session.id, session.to]));
    assert.deepEqual([to.get("host1/192.168.0.1"), to.get("host1/192.168.0.9")], ["tor", null]);
  });

  it("marks what an agent that does not answer has told last, and what the lab has attached there", () => {
    const containers = [
      { name: "c", host: "host2", interface: "cali7", addresses: [parseIpv4("10.1.0.9")] },
      { name: "of-host2", host: "host2", interface: "cali1", addresses: [parseIpv4("10.1.0.1")] },
    ];
    const joined = joinViews(
      inputs({ ...BOTH, host2: { view: viewOf("host2"), isAnswering: false } }, { containers }),
    );
    const node = joined.nodes.find(({ id }) => id === "host2");
    assert.deepEqual(
      [node?.isAnswering, node?.isReady, node?.routeSource, node?.routesByOrigin],
      [false, null, "bird", null],
    );
    assert.equal(node?.reasons.length, 1);
    assert.deepEqual(
      joined.containers.map(({ id, isReady }) => `${id} ${isReady}`),
      ["host1/cali1 true", "host2/cali1 null", "host2/cali7 null"],
    );
    assert.deepEqual(
      joined.sessions.map(({ id, state }) => `${id} ${state}`),
      [
        "host1/192.168.0.1 Established",
        "host1/192.168.0.9 Established",
        "host2/192.168.0.1 null",
        "host2/192.168.0.9 null",
      ],
    );
    assert.deepEqual(
      joined.tunnels.map(({ isUp }) => isUp),
      [true, null],
    );
  });

  it("is there when no agent has ever answered", () => {
    const silent = { view: undefined, isAnswering: false };
    const joined = joinViews(inputs({ host1: silent, host2: silent }));
    assert.deepEqual(
      joined.nodes.map(({ id, isAnswering, addresses }) => [id, isAnswering, ...addresses]),
      [
        ["host1", false, "192.168.0.101"],
        ["host2", false, "192.168.0.102"],
      ],
    );
    assert.deepEqual([joined.pools, joined.blocks, joined.containers], [[], [], []]);
  });
});

describe("what the lab tells of by itself", () => {
  it("is whether agents answer, and the links of machines without one that does", () => {
    const all = joinViews(inputs({ ...BOTH, host2: { view: viewOf("host2"), isAnswering: false } }));
    const { machines, nodes, containers } = labsPart(all);
    assert.deepEqual(
      machines.map(({ id }) => id),
      ["client", "host2", "tor"],
    );
    assert.deepEqual(
      nodes.map(({ id, isAnswering, isReady }) => [id, isAnswering, isReady]),
      [
        ["gone", null, null],
        ["host1", true, null],
        ["host2", false, null],
      ],
    );
    assert.deepEqual(containers, []);
  });
});
