// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDataplane } from "../dataplane/dataplane.ts";
import type { Kernel } from "../dataplane/kernel.ts";
import { Calculation } from "../desired/calculation.ts";
import { newBlock } from "../ipam/block.ts";
import { renderBlock } from "../model/ipam-block.ts";
import { blockKey, resourceKey } from "../model/keys.ts";
import { parseNodeName } from "../model/name.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseMac } from "../net/mac.ts";
import { createFakeClock, systemClock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import { silentLog } from "../system/log.ts";
import { ANSWERS } from "../web/answers.ts";
import { Meters } from "../web/meters.ts";
import { RESOURCE_NAMES } from "../web/resources.ts";
import type { ApiSources } from "../web/sources.ts";
import { createApiSources } from "./api-sources.ts";
import { Catalog } from "./catalog.ts";
import { WELL, running } from "./state-fixtures.ts";
import { type AgentState, renderStatus } from "./status.ts";

const HOST1 = parseNodeName("host1");
/** A dataplane that has not started touches no kernel. */
const NO_KERNEL = { clock: createFakeClock() } as unknown as Kernel;

/** The sources of an agent in the state, with one container and two blocks. */
function sourcesOf(more: Partial<AgentState> = {}): ApiSources {
  const state = (): AgentState => ({ ...WELL, ...more });
  const catalog = new Catalog(silentLog, HOST1);
  const pool = { metadata: { name: "pool" }, spec: { cidr: "10.1.0.0/16" } };
  catalog.learn(
    resourceKey("IPPool", "pool"),
    JSON.stringify({ apiVersion: "projectcalico.org/v3", kind: "IPPool", ...pool }),
  );
  for (const cidr of ["10.1.0.0/26", "10.9.0.0/26"].map(parseCidr))
    catalog.learn(blockKey(cidr), renderBlock(newBlock(cidr, { node: HOST1, nowMs: 0 })));
  const calculation = new Calculation(HOST1);
  const dataplane = createDataplane(NO_KERNEL);
  const value = {
    ifName: parseIfName("cali0123456789a"),
    mac: parseMac("02:00:00:00:00:01"),
    ips: [parseIpv4("10.1.0.1")],
  };
  dataplane.update(calculation.update([{ kind: "endpoint", name: "host1-cni-c1-eth0", value }]));
  return createApiSources({
    version: "0.1.0",
    calculation,
    catalog,
    dataplane,
    state,
    status: () => renderStatus(state(), { version: "0.1.0", pid: 7, memory: { rss: 2, heapUsed: 1 } }),
    health: () => ({ startFailure: undefined, applyingForMs: undefined }),
    journal: { entries: new Map() },
    conditions: new Conditions(),
    meters: new Meters(),
    clock: systemClock,
  });
}

const FAULT = { kind: "route", key: "10.1.0.0/26 metric 1024", reason: "no way" } as const;

describe("what the API tells of an agent", () => {
  const states: readonly (readonly [what: string, state: Partial<AgentState>])[] = [
    ["with which all is well", {}],
    ["whose BIRD is away", { bird: { kind: "restarting", lastError: "it crashed" } }],
    [
      "that has just begun",
      { isSynced: false, address: undefined, wantedBird: undefined, bird: { kind: "stopped" } },
    ],
    ["with a fault", { dataplane: { ...WELL.dataplane, faults: [FAULT] } }],
  ];
  for (const [what, state] of states) {
    it(`is as its schemas say, of one ${what}`, () => {
      const sources = sourcesOf(state);
      for (const name of RESOURCE_NAMES) {
        const told: unknown = JSON.parse(JSON.stringify(sources[name]()));
        assert.deepEqual(ANSWERS[name].parse(told), told, name);
      }
    });
  }

  it("is ready or not part by part, and says why", () => {
    const { ok, parts, degraded } = sourcesOf({
      dataplane: { ...WELL.dataplane, faults: [FAULT] },
      tunnelTroubles: [{ name: "IPIP", trouble: "no address" }],
      mtuIssues: ["MTU: does not fit"],
    }).readiness();
    assert.equal(ok, false);
    assert.deepEqual(
      parts.map(({ name, ok, reasons }) => [name, ok, ...reasons]),
      [
        ["datastore", true],
        ["address", true],
        ["dataplane", false, "10.1.0.0/26 metric 1024: no way"],
        ["bird", true],
        ["tunnels", false, "IPIP: no address"],
      ],
    );
    assert.deepEqual(degraded, ["MTU: does not fit"]);
    assert.equal(sourcesOf().readiness().ok, true);
  });

  it("names who is at the other end of a session, and the sessions that are missing", () => {
    const { state, sessions, missing } = sourcesOf({ bird: running("Established") }).bgp();
    assert.equal(state, "running");
    assert.deepEqual(
      sessions.map((session) => [session.peer, session.state, session.with]),
      [["192.168.0.102", "Established", 'node "host2"']],
    );
    assert.deepEqual(missing, [{ peer: "192.168.0.103", with: 'node "host3"' }]);
  });

  it("counts the blocks of each pool, and has those of none too", () => {
    const { pools, blocks } = sourcesOf().ipam();
    const pool = {
      name: "pool",
      cidr: "10.1.0.0/16",
      disabled: false,
      addresses: "65536",
      inUse: 0,
      blocks: 1,
    };
    assert.deepEqual(pools, [pool]);
    assert.deepEqual(
      blocks.map(({ cidr, pool, node, free }) => [cidr, pool, node, free]),
      [
        ["10.1.0.0/26", "pool", "host1", 64],
        ["10.9.0.0/26", null, "host1", 64],
      ],
    );
  });

  it("says what a container waits for, and which routes are missing", () => {
    const sources = sourcesOf();
    const [endpoint] = sources.endpoints().endpoints;
    assert.deepEqual(
      [endpoint?.orchestrator, endpoint?.workload, endpoint?.endpoint, endpoint?.addresses],
      ["cni", "c1", "eth0", ["10.1.0.1"]],
    );
    assert.ok(
      endpoint?.pending.includes("10.1.0.1/32 metric 0 is not applied yet"),
      String(endpoint?.pending),
    );
    const route = sources.routes().routes.find(({ dst }) => dst === "10.1.0.1/32");
    assert.deepEqual(route, {
      dst: "10.1.0.1/32",
      table: 254,
      metric: 0,
      type: "unicast",
      origin: "agent",
      interface: "cali0123456789a",
      present: false,
      pending: "10.1.0.1/32 metric 0 is not applied yet",
    });
    const [neighbour] = sources.neighbours().neighbours;
    assert.deepEqual([neighbour?.ip, neighbour?.permanent, neighbour?.present], ["10.1.0.1", true, false]);
  });
});
