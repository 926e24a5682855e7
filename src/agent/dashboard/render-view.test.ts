// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataplane } from "../../dataplane/dataplane.ts";
import type { Kernel } from "../../dataplane/kernel.ts";
import { Calculation } from "../../desired/calculation.ts";
import { newBlock } from "../../ipam/block.ts";
import { renderBlock } from "../../model/ipam-block.ts";
import { blockKey, resourceKey } from "../../model/keys.ts";
import { parseNodeName } from "../../model/name.ts";
import { parseCidr } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { parseMac } from "../../net/mac.ts";
import { createFakeClock } from "../../system/clock.ts";
import { silentLog } from "../../system/log.ts";
import { type View, viewSchema } from "../../web/view/view.ts";
import { Catalog } from "../catalog.ts";
import { NAMES, ADDRESSES, WELL, running } from "../state-fixtures.ts";
import type { AgentState } from "../status.ts";
import { type ViewParts, renderOwnPart } from "./own-part.ts";
import { renderView } from "./render-view.ts";

const HOST1 = parseNodeName("host1");
/** A dataplane that has not started touches no kernel. */
const NO_KERNEL = { clock: createFakeClock() } as unknown as Kernel;
const POOL = { metadata: { name: "pool" }, spec: { cidr: "10.1.0.0/16", vxlanMode: "Always" } };

/** Of a cluster of three nodes, with one container here, a block here and one on host2. */
function createParts(): ViewParts {
  const catalog = new Catalog(silentLog, HOST1);
  const calculation = new Calculation(HOST1);
  const dataplane = createDataplane(NO_KERNEL);
  const learn = (key: string, text: string): void => {
    dataplane.update(calculation.update(catalog.learn(key, text)));
  };
  const resource = (kind: "Node" | "IPPool", name: string, more: object): void => {
    learn(
      resourceKey(kind, name),
      JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name }, ...more }),
    );
  };
  resource("IPPool", "pool", POOL);
  for (const [name, address] of [["host1", "192.168.0.101"], ...NAMES.map((one, at) => [one, ADDRESSES[at]])])
    resource("Node", name ?? "", {
      spec: {
        bgp: { ipv4Address: `${address}/24` },
        ipv4VXLANTunnelAddr: "10.1.9.9",
        vxlanTunnelMACAddr: "66:00:00:00:00:01",
      },
    });
  for (const [cidr, node] of [
    ["10.1.0.0/26", "host1"],
    ["10.1.0.64/26", "host2"],
  ] as const) {
    const block = newBlock(parseCidr(cidr), { node: parseNodeName(node), nowMs: 0 });
    learn(blockKey(parseCidr(cidr)), renderBlock(block));
  }
  const container = {
    ifName: parseIfName("cali0123456789a"),
    mac: parseMac("02:00:00:00:00:01"),
    ips: [parseIpv4("10.1.0.1")],
  };
  dataplane.update(
    calculation.update([
      { kind: "underlay", mtu: 1500 },
      { kind: "endpoint", name: "host1-cni-c1-eth0", value: container },
    ]),
  );
  return { nodeName: HOST1, version: "0.1.0", calculation, catalog, dataplane };
}

function viewOf(more: Partial<AgentState> = {}): View {
  const parts = createParts();
  const own = renderOwnPart(parts, { ...WELL, ...more });
  return viewSchema.parse({ ...renderView(parts, own), at: 0, counters: [] });
}

describe("the view of an agent", () => {
  it("has every node, of others what their records say", () => {
    const { scope, name, nodes, machines, segments } = viewOf();
    assert.deepEqual([scope, name], ["node", "host1"]);
    assert.deepEqual(
      nodes.map(({ id, isOwn, isAnswering, isReady, encapsulations }) => [
        id,
        isOwn,
        isAnswering,
        isReady,
        ...encapsulations,
      ]),
      [
        ["host1", true, true, true],
        ["host2", false, null, null, "vxlan"],
        ["host3", false, null, null, "vxlan"],
      ],
    );
    assert.deepEqual(
      segments.map(({ id }) => id),
      ["192.168.0.0/24"],
    );
    // No interface has the address here.
    assert.deepEqual(
      machines.map(({ id, ports }) => [
        id,
        ...ports.map((port) => `${port.segment} ${port.address} ${port.isUp}`),
      ]),
      [
        ["host1", "192.168.0.0/24 192.168.0.101 false"],
        ["host2", "192.168.0.0/24 192.168.0.102 null"],
        ["host3", "192.168.0.0/24 192.168.0.103 null"],
      ],
    );
  });

  it("has the node's own containers, and what of them is missing", () => {
    const [container, ...more] = viewOf().containers;
    assert.equal(more.length, 0);
    assert.deepEqual(
      [container?.id, container?.name, container?.addresses, container?.isReady],
      ["host1/cali0123456789a", "c1", ["10.1.0.1"], false],
    );
    assert.ok(container?.missing.includes("10.1.0.1/32 metric 0 is not applied yet"));
  });

  it("has sessions as BIRD has them, those that are wanted and missing, and those that nobody wants", () => {
    const { sessions } = viewOf({ bird: running("Established") });
    assert.deepEqual(
      sessions.map(({ to, state, isWanted }) => [to, state, isWanted]),
      [
        ["host2", "Established", true],
        ["host3", null, true],
      ],
    );
    const alone = viewOf({ wantedBird: undefined, bird: running("Active") });
    assert.deepEqual(
      alone.sessions.map(({ to, state, isWanted }) => [to, state, isWanted]),
      [["host2", "Active", false]],
    );
  });

  it("has this node's ends of tunnels, and whom packets reach through them", () => {
    const end = { kind: "vxlan", address: parseIpv4("10.1.9.9"), mtu: 1450 } as const;
    const [tunnel] = viewOf({ tunnels: [end] }).tunnels;
    assert.deepEqual([tunnel?.interface, tunnel?.isUp], ["vxlan.calico", false]);
    const byPrograms = viewOf({
      tunnels: [{ ...end, kind: "ipip" }],
      dataplane: { ...WELL.dataplane, wanted: { ...WELL.dataplane.wanted, ipip: 1 } },
    }).tunnels[0];
    assert.deepEqual([byPrograms?.interface, byPrograms?.isUp], [null, null]);
  });

  it("has pools, and the blocks of all nodes", () => {
    const { pools, blocks } = viewOf();
    assert.deepEqual(
      pools.map(({ id, blockSize, vxlanMode, used }) => [id, blockSize, vxlanMode, used]),
      [["pool", 26, "Always", 0]],
    );
    assert.deepEqual(
      blocks.map(({ id, pool, node, size, free, cooling }) => [id, pool, node, size, free, cooling]),
      [
        ["10.1.0.0/26", "pool", "host1", 64, 64, 0],
        ["10.1.0.64/26", "pool", "host2", 64, 64, 0],
      ],
    );
  });

  it("is one also of an agent that has just begun", () => {
    const view = viewOf({
      isSynced: false,
      address: undefined,
      bird: { kind: "stopped" },
      wantedBird: undefined,
    });
    assert.equal(view.nodes.find(({ isOwn }) => isOwn)?.isReady, false);
  });
});
