// SPDX-License-Identifier: Apache-2.0
import type { ApiSources } from "./sources.ts";

/** Sources of a node with which all is well, for tests. */
export const SOURCES: ApiSources = {
  health: () => ({ ok: true, parts: [{ name: "dataplane", ok: true, reasons: [] }] }),
  readiness: () => ({ ok: true, parts: [{ name: "datastore", ok: true, reasons: [] }], degraded: [] }),
  status: () => ({
    nodeName: "host1",
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
};
