// SPDX-License-Identifier: Apache-2.0
import { abortable } from "../system/abortable.ts";
import { Meters } from "./meters.ts";
import type { Measurements } from "./metrics.ts";
import type { Answer, ApiSources } from "./sources.ts";

/** Sources of a node with which all is well, for tests. */
export const SOURCES: ApiSources = {
  health: () => ({ ok: true, parts: [{ name: "dataplane", ok: true, reasons: [] }] }),
  readiness: () => ({ ok: true, parts: [{ name: "datastore", ok: true, reasons: [] }], degraded: [] }),
  status: () => ({
    nodeName: "host1",
    version: "0.1.0",
    pid: 7,
    started: true,
    ready: true,
    reasons: [],
    degraded: [],
    ignored: [],
    address: { current: "192.168.0.101/24", reason: "it is told so", passedOver: [] },
    ipv6Address: null,
    routeSource: "datastore",
    pools: [],
    mtu: { underlay: 1500, containers: 1500 },
    tunnels: [],
    bird: null,
    peers: [],
    dataplane: { isSettled: true, wanted: { route: 1 }, faults: [], blocked: [] },
    unroutable: [],
    memory: { rss: 2, heapUsed: 1 },
  }),
  endpoints: () => ({ endpoints: [] }),
  routes: () => ({ routes: [], unroutable: [] }),
  neighbours: () => ({ neighbours: [] }),
  bgp: () => ({
    routeSource: "datastore",
    state: "stopped",
    bird: null,
    asNumber: null,
    listenPort: null,
    originated: [],
    sessions: [],
    missing: [],
  }),
  ipam: () => ({ pools: [], blocks: [] }),
  version: "0.1.0",
  until: (_isMet, signal) => abortable(Promise.withResolvers<undefined>().promise, signal),
  metrics: () => [{ name: "margay_ready", type: "gauge", help: "Whether it is.", samples: [{ value: 1 }] }],
};

type Session = Answer<"bgp">["sessions"][number];

export function session(more: Partial<Session>): Session {
  return {
    name: "mesh_1",
    peer: "192.168.0.102",
    state: "Established",
    sinceMs: 0,
    imported: 2,
    exported: 3,
    peerRestarting: false,
    ...more,
  };
}

type Pool = Answer<"ipam">["pools"][number];

export function pool(more: Partial<Pool>): Pool {
  return {
    name: "default",
    cidr: "10.1.0.0/16",
    disabled: false,
    addresses: "65536",
    inUse: 6,
    blocks: 2,
    ...more,
  };
}

/** Something of everything that is measured, for tests. */
export function createMeasurements(more: Partial<Measurements> = {}): Measurements {
  const meters = new Meters();
  meters.noteCall({ command: "ADD", outcome: "success", error: undefined, seconds: 0.02 });
  meters.noteCall({ command: "DEL", outcome: "error", error: "internal", seconds: 0.002 });
  meters.noteRequest("get", { seconds: 0.001 });
  meters.noteRequest("put", { seconds: 4, error: "unavailable" });
  meters.noteInterruption("compacted");
  meters.answers.note("200");
  meters.applications.observe(0.0007);
  meters.changes.observe(0.003);
  return {
    status: {
      ...SOURCES.status(),
      dataplane: {
        isSettled: false,
        wanted: { link: 1, route: 2 },
        faults: [{ kind: "route", key: "10.1.0.0/26 metric 1024", reason: "no way" }],
        blocked: [],
      },
    },
    readiness: {
      ok: false,
      parts: [
        { name: "datastore", ok: true, reasons: [] },
        { name: "dataplane", ok: false, reasons: ["no way"] },
      ],
      degraded: ["MTU: does not fit"],
    },
    bgp: {
      ...SOURCES.bgp(),
      state: "running",
      sessions: [session({}), session({ peer: "192.168.0.103", state: "Active" })],
    },
    ipam: {
      pools: [pool({})],
      blocks: [
        { cidr: "10.1.0.0/26", pool: "default", node: "host1", addresses: 64, inUse: 4, free: 58 },
        { cidr: "10.1.0.64/26", pool: "default", node: "host2", addresses: 64, inUse: 2, free: 62 },
      ],
    },
    dataplane: {
      pending: { link: 0, route: 1 },
      failures: { link: 0, route: 7 },
      routes: { agent: 2, bird: 1, kernel: 1, other: 0 },
    },
    endpoints: 3,
    journal: 1,
    process: { cpuSeconds: 1.5, residentBytes: 2, heapUsedBytes: 1, startedAt: 1000.5, openFiles: 20 },
    meters,
    ...more,
  };
}
